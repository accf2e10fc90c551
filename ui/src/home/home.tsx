import { useState } from "preact/hooks";
import type { Me } from "../api";
import { Fault } from "../parts";
import { Events } from "./events";
import { OpenNow } from "./leases";
import { New } from "./new";
import { Who } from "./who";
import { Workspaces } from "./workspaces";

/** The first page: who you are, what you have, what is open. */
export function Home({ me, onFault, onRightsChanged }: { me: Me; onFault: (fault: unknown) => void; onRightsChanged: () => void }) {
  const [fault, setFault] = useState<unknown>();
  const [changes, setChanges] = useState(0); // rights or leases changed: read again what depends on them
  const failed = (f: unknown) => {
    setFault(f);
    onFault(f);
  };
  const changed = () => {
    setChanges((n) => n + 1);
    onRightsChanged();
  };
  return (
    <main class="home" data-testid="home">
      <Fault fault={fault} />
      <div class="columns">
        <div>
          <New changes={changes} onFault={failed} />
          <Workspaces changes={changes} onFault={failed} />
          <OpenNow me={me} onFault={failed} onCut={changed} />
          <Events changes={changes} onFault={failed} />
        </div>
        <aside><Who me={me} /></aside>
      </div>
    </main>
  );
}
