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

/** Calls task now, again `pause()` milliseconds after it ended while the page is looked at, and when it is looked at anew. */
export function useRepeat(task: (signal: AbortSignal) => Promise<void>, pause: () => number, again: unknown[]): void {
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running = false;
    const round = async () => {
      clearTimeout(timer);
      running = true;
      await task(stop.signal);
      running = false;
      if (!stop.signal.aborted && !document.hidden) timer = setTimeout(round, pause());
    };
    const looked = () => {
      if (!document.hidden && !running) void round();
    };
    void round();
    document.addEventListener("visibilitychange", looked);
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", looked);
    };
  }, again);
}
