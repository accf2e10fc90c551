import { useEffect, useState } from "preact/hooks";
import { follow, Problem, type Progress, type Workspace } from "./api";

/** Follows the start of a workspace while `live`, and again when it starts again. onEnd: the story is over, or the workspace gone. */
export function useFollow(id: string, live: boolean, onWorkspace: (w: Workspace) => void, onFault: (fault: unknown) => void, onEnd: () => void) {
  const [lines, setLines] = useState<Progress[]>([]);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    if (!live) return;
    const stop = new AbortController();
    void (async () => {
      while (!stop.signal.aborted) {
        let seen: Progress[] = []; // the server replays this start's lines
        try {
          const closed = await follow(`/workspaces/${id}/events`, (name, data) => {
            setLost(false);
            if (name === "progress") setLines((seen = [...seen, data as Progress]));
            else if (name === "workspace") onWorkspace(data as Workspace);
          }, stop.signal);
          if (closed && closed.code !== "shutdown") return onFault(new Problem(403, closed.reason));
          if (!closed) onEnd();
        } catch (fault) {
          if (stop.signal.aborted) return;
          if (fault instanceof Problem && fault.status === 404) return onEnd();
          if (fault instanceof Problem && fault.status !== 0 && fault.status !== 503) return onFault(fault);
          setLost(true);
        }
        await new Promise((done) => setTimeout(done, 1000));
      }
    })();
    return () => stop.abort();
  }, [id, live]);
  return { lines, lost };
}
