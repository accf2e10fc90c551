import { useEffect, useState } from "preact/hooks";
import { follow, Problem, send, type Lease, type Leases, type Me, type Workspace } from "../api";
import { clock, lasting, shortResource, verb, visible } from "../format";
import { useNow } from "../hooks";
import { Act, Section } from "../parts";

// What this page itself asks, again and again, would hide the rest.
export const ofThePage = new Set(["self:view", "lease:list", "audit:read", "workspace:list", "project:view"]);

/** Open accesses as they come and go, each with what it rests on, and those that were ended. */
export function OpenNow({ me, workspaces, onFault, onCut }: {
  me: Me; workspaces: Workspace[]; onFault: (fault: unknown) => void; onCut: (why?: string) => void;
}) {
  const [leases, setLeases] = useState<Leases>();
  const [connected, setConnected] = useState(false);
  const [all, setAll] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    let newest: string | undefined; // the last ended one; undefined until the first list came
    void (async () => {
      while (!stop.signal.aborted) {
        try {
          const closed = await follow("/leases/events", (_, data) => {
            const next = data as Leases;
            setLeases(next);
            setConnected(true);
            const latest = next.ended[0]?.id ?? "";
            if (newest !== undefined && latest !== newest) onCut();
            newest = latest;
          }, stop.signal);
          if (closed) onCut(closed.code === "shutdown" ? undefined : closed.reason);
        } catch (fault) {
          if (stop.signal.aborted) return;
          if (fault instanceof Problem && fault.status >= 400 && fault.status < 500) return onFault(fault);
        }
        setConnected(false);
        await new Promise((done) => setTimeout(done, 1000));
      }
    })();
    return () => stop.abort();
  }, []);

  const names = new Map(workspaces.map((w) => [w.id, w.name]));
  const open = (leases?.open ?? []).filter((l) => all || !ofThePage.has(l.action));
  const hidden = (leases?.open.length ?? 0) - open.length;
  const ended = (leases?.ended ?? []).filter((l) => all || !ofThePage.has(l.action));
  return (
    <>
      <Section id="open-now" title="Open now" aside={<span class={"live " + (connected ? "on" : "")} data-testid="live">{connected ? "live" : "connecting"}</span>}>
        <ul class="rows">
          {open.map((l) => <Open lease={l} me={me} names={names} key={l.id} onFault={onFault} />)}
          {leases && open.length === 0 && <li class="muted" data-testid="nothing-open">Nothing is open.</li>}
          {(leases?.more ?? 0) > 0 && <li class="muted">and {leases!.more} more</li>}
        </ul>
        {(hidden > 0 || all) && (
          <button type="button" class="link" onClick={() => setAll(!all)} data-testid="show-all-leases">
            {all ? "Hide what this page itself reads" : `Show what this page itself reads (${hidden})`}
          </button>
        )}
      </Section>
      {ended.length > 0 && (
        <Section id="ended" title="Ended">
          <ul class="rows">{ended.slice(0, 20).map((l) => <Ended lease={l} me={me} names={names} key={l.id} />)}</ul>
        </Section>
      )}
    </>
  );
}

interface Shown { lease: Lease; me: Me; names: Map<string, string> } // names: of workspaces, by ID

function What({ lease: l, me, names }: Shown) {
  const resource = shortResource(l.resource);
  const name = names.get(resource);
  return (
    <>
      <strong>{verb(l.action)}</strong>{" "}
      <span class="breakable">{name ? <>{visible(name)} <span class="muted small">{resource}</span></> : resource}</span>
      {l.user && l.user !== me.user && <span class="badge">{visible(l.user_name)}</span>}
      {l.actor && <span class="badge">{visible(l.actor)}</span>}
    </>
  );
}

/** "developer of payments, through payments-engineers" */
function because(l: Lease): string {
  const role = l.role && l.project ? `${l.role} of ${l.project}` : l.role || "";
  return visible(role && l.via ? `${role}, through ${l.via}` : role || "your own");
}

function Open({ lease: l, me, names, onFault }: Shown & { onFault: (fault: unknown) => void }) {
  const now = useNow();
  return (
    <li data-testid="lease" data-lease={l.id} data-action={l.action}>
      <div class="grow">
        <What lease={l} me={me} names={names} />
        <span class="muted block" data-testid="lease-because">{because(l)} · for {lasting(now - Date.parse(l.opened))}</span>
      </div>
      <Act label="End" kind="quiet" testid="end-lease" onFault={onFault} run={() => send("DELETE", "/leases/" + l.id)} />
    </li>
  );
}

function Ended({ lease: l, me, names }: Shown) {
  return (
    <li data-testid="ended-lease" data-lease={l.id} data-action={l.action} data-code={l.code}>
      <div class="grow">
        <What lease={l} me={me} names={names} />
        <span class="block reason" data-testid="ended-reason">{visible(l.reason)}</span>
        <span class="muted block small">{clock(l.ended!)}, after {lasting(Date.parse(l.ended!) - Date.parse(l.opened))}</span>
      </div>
    </li>
  );
}
