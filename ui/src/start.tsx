import { useEffect, useState } from "preact/hooks";
import { get, Problem, type Page, type Progress, type Workspace } from "./api";
import { shortURL, visible, visibleLines } from "./format";
import { WhatGoesOn } from "./activity";
import { Fault } from "./parts";
import { useRepeat } from "./hooks";
import { useFollow } from "./progress";
import { Lines, moving, standing, State, WorkspaceActions } from "./workspace";

/** Workspaces whose start was clicked in this page: those open by themselves once they run. */
export const startedHere = new Set<string>();

/** One workspace: its start as it happens, and what can be done with it. */
export function Start({ id, onFault }: { id: string; onFault: (fault: unknown) => void }) {
  const [workspace, setWorkspace] = useState<Workspace>();
  const [fault, setFault] = useState<unknown>();
  const failed = (f: unknown) => {
    setFault(f);
    onFault(f);
  };
  const load = () => get<Workspace>("/workspaces/" + id).then((w) => {
    setWorkspace(w);
    setFault(undefined);
  }, failed);
  // It stops by itself, too, and others stop it: a page that is looked at says so.
  useRepeat(async (signal) => {
    try {
      setWorkspace(await get<Workspace>("/workspaces/" + id, signal));
      setFault(undefined);
    } catch (fault) {
      if (!signal.aborted) failed(fault);
    }
  }, () => 4000, [id]);
  const [story, setStory] = useState<Progress[]>([]); // of the last start or stop, as it was told until now
  const phase = workspace?.phase;
  useEffect(() => {
    if (!phase || moving(workspace)) return;
    const stop = new AbortController();
    get<Page<Progress>>(`/workspaces/${id}/logs`, stop.signal).then((page) => setStory(page.items), (f: unknown) => stop.signal.aborted || failed(f));
    return () => stop.abort();
  }, [id, phase, workspace?.notice]);
  const { lines, lost } = useFollow(id, moving(workspace), setWorkspace, failed, load);

  useEffect(() => {
    if (workspace?.phase !== "running" || !workspace.terminal || !startedHere.delete(id)) return;
    location.assign(workspace.terminal);
  }, [workspace, id]);

  return (
    <main class="narrow" data-testid="workspace-page" data-workspace={id} data-phase={workspace?.phase}>
      <a href="#" class="back">← All workspaces</a>
      {workspace && <h1>{visible(workspace.name)} <State workspace={workspace} /></h1>}
      {workspace && (
        <p class="muted breakable">
          <code>{shortURL(workspace.repository)}</code>{workspace.ref && <> at <code>{visible(workspace.ref)}</code></>}
          {" "}in {visible(workspace.project)} · {id}
          {workspace.prebuild && <span data-testid="from-prebuild"> · began with the <a href={"#/project/" + workspace.project}>prebuild</a> {workspace.prebuild}</span>}
        </p>
      )}
      <Fault fault={fault} />
      {workspace && standing(workspace) && <p class="muted multiline" data-testid="workspace-message">{visibleLines(standing(workspace))}</p>}
      {workspace && (
        <div class="actions left">
          <WorkspaceActions workspace={workspace} onChange={load} onFault={failed} onDeleted={() => (location.hash = "")} />
        </div>
      )}
      {fault instanceof Problem && fault.status === 404 ? null : <Lines lines={moving(workspace) || !story.length ? lines : story} live={moving(workspace)} lost={lost} />}
      {workspace && <WhatGoesOn id={id} live={workspace.phase !== "stopped" && workspace.phase !== "stopping"} />}
    </main>
  );
}
