import { useState } from "preact/hooks";
import { get, Problem, type Me, type Workspace } from "../api";
import { useRepeat } from "../hooks";
import { Fault } from "../parts";
import { Events } from "./events";
import { OpenNow } from "./leases";
import { New } from "./new";
import { NewSignIns } from "./newsignins";
import { Sessions } from "./sessions";
import { Settings, Snapshots } from "./settings";
import { Who } from "./who";
import { Workspaces } from "./workspaces";

/** What a person's rights rest on, to be compared. */
function rights(me: Me): string {
  return JSON.stringify([me.projects, me.groups, me.roles]);
}

/** The first page: who you are, what you have, what is open. */
export function Home({ me, onFault, onRightsChanged }: { me: Me; onFault: (fault: unknown) => void; onRightsChanged: (why?: string) => void }) {
  const [fault, setFault] = useState<unknown>();
  const [workspaces, setWorkspaces] = useState<Workspace[]>([]);
  const [changes, setChanges] = useState(0); // rights or leases changed: read again what depends on them
  const failed = (f: unknown) => {
    setFault(f);
    onFault(f);
  };
  const changed = (why?: string) => {
    setChanges((n) => n + 1);
    onRightsChanged(why);
  };
  // A role that comes back touches nothing that is open, so nothing tells of it.
  useRepeat(async (signal) => {
    try {
      const now = await get<Me>("/me", signal);
      setFault((f: unknown) => (f instanceof Problem && f.status === 0 ? undefined : f)); // it is reached again
      if (rights(now) !== rights(me)) changed();
    } catch (fault) {
      if (!signal.aborted) onFault(fault);
    }
  }, () => 5000, [me]);
  return (
    <main class="home" data-testid="home">
      <Fault fault={fault} onDismiss={() => setFault(undefined)} />
      <NewSignIns me={me} onFault={failed} />
      <div class="columns">
        <div>
          <New changes={changes} onFault={failed} />
          <Workspaces changes={changes} onList={setWorkspaces} onFault={failed} />
          <Snapshots onFault={failed} onOpened={() => setChanges((n) => n + 1)} />
          <OpenNow me={me} workspaces={workspaces} onFault={failed} onCut={changed} />
          <Events changes={changes} onFault={failed} />
        </div>
        <aside><Who me={me} /><Sessions me={me} onFault={failed} /><Settings onFault={failed} /></aside>
      </div>
    </main>
  );
}
