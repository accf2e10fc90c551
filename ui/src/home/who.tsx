import type { Me } from "../api";
import { ago, through, visible } from "../format";
import { useNow } from "../hooks";
import { Section } from "../parts";

/** Who the person is, and through which groups they may what. */
export function Who({ me }: { me: Me }) {
  const now = useNow(10_000);
  return (
    <Section id="who" title="You">
      <p class="person">
        <strong data-testid="me-name">{visible(me.name)}</strong>
        <span class="muted" data-testid="me-user-name">{visible(me.user_name)}</span>
      </p>
      {me.projects.length > 0 ? (
        <ul class="rights">
          {me.projects.map((p) => (
            <li data-testid="my-project" data-project={p.name}>
              <strong>{visible(p.name)}</strong> <span class="badge">{visible(p.role)}</span>
              {(p.via || p.path?.length) && <span class="muted block" data-testid="my-project-via">through {through(p.path, p.via)}</span>}
            </li>
          ))}
        </ul>
      ) : <p class="muted" data-testid="no-projects">You have no role in any project. Roles come from groups of your directory; ask whoever looks after them.</p>}
      {me.roles.length > 0 && <p class="muted">Of the installation: {me.roles.map((r) => <span class="badge">{visible(r)}</span>)}</p>}
      {me.groups.length > 0 && <details>
        <summary data-testid="my-groups-summary">{me.groups.length === 1 ? "1 group" : me.groups.length + " groups"}</summary>
        <ul class="groups">
          {me.groups.map((g) => (
            <li data-testid="my-group" data-group={g.id} title={g.id}>
              {visible(g.name)}
              {g.path.length > 1 && <span class="muted"> through {through(g.path.slice(1))}</span>}
            </li>
          ))}
        </ul>
      </details>}
      {me.sign_in && <p class="muted small" data-testid="signed-in-at">Signed in {ago(me.sign_in.at, now)}{me.sign_in.strength && <> · strength {visible(me.sign_in.strength)}</>}</p>}
    </Section>
  );
}
