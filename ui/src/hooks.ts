import { useEffect, useState } from "preact/hooks";

/** The time, moving on every `every` milliseconds. */
export function useNow(every = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** Calls task now, and again `pause()` milliseconds after it ended while the page is looked at. */
export function useRepeat(task: (signal: AbortSignal) => Promise<void>, pause: () => number, again: unknown[]): void {
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const round = async () => {
      if (!document.hidden) await task(stop.signal);
      if (!stop.signal.aborted) timer = setTimeout(round, pause());
    };
    void round();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, again);
}
