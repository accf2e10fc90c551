import { useState } from "preact/hooks";
import { get, type Event, type Page } from "../api";
import { clock, shortResource, verb, visible } from "../format";
import { useRepeat } from "../hooks";
import { Section } from "../parts";
import { ofThePage } from "./leases";

/** Not what the dashboard's own reading writes to the log, unless it was refused. */
function worthShowing(e: Event): boolean {
  return !ofThePage.has(e.action) || (e.outcome !== "opened" && e.outcome !== "closed");
}

/** Who did it: the person, and the AI agent where one acted for them. */
function who(e: Event): string {
  const agent = e.actor?.startsWith("agent:");
  return visible(e.user_name && agent ? `${e.user_name} (${e.actor})` : e.user_name || e.actor);
}

/** The newest entries of the audit log that the person may read. */
export function Events({ changes, onFault }: { changes: number; onFault: (fault: unknown) => void }) {
  const [list, setList] = useState<Event[]>();
  useRepeat(async (signal) => {
    try {
      setList((await get<Page<Event>>("/audit?limit=100", signal)).items.filter(worthShowing).slice(0, 15));
    } catch (fault) {
      if (!signal.aborted) onFault(fault);
    }
  }, () => 5000, [changes]);
  if (!list?.length) return null;
  return (
    <Section id="events" title="Audit log">
      <div class="scroll">
        <table>
          <thead><tr><th>Time</th><th>Who</th><th class="rest">What</th><th>Outcome</th></tr></thead>
          <tbody>
            {list.map((e) => (
              <tr data-testid="event" data-action={e.action} data-outcome={e.outcome} key={e.seq}>
                <td class="nowrap muted">{clock(e.time)}</td>
                <td class="who" title={who(e)}>{who(e)}</td>
                <td><strong>{verb(e.action)}</strong> <span class="breakable">{shortResource(e.resource)}</span>
                  {e.reasons && e.reasons.length > 0 && <span class="muted block small">{visible(e.reasons.join(" "))}</span>}
                </td>
                <td><span class={"outcome " + e.outcome}>{visible(e.outcome)}</span></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}
