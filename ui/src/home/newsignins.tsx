import { useState } from "preact/hooks";
import { get, send, type Me, type NewSignIn, type Page } from "../api";
import { clock, visible } from "../format";
import { useRepeat } from "../hooks";
import { Act } from "../parts";

/** What is new about a sign-in: "a new place", "a new device". */
function news(s: NewSignIn): string {
  return [s.new_place && "a new place", s.new_device && "a new device"].filter(Boolean).join(" and ");
}

/** One's own sign-ins from where, or with what, one had not signed in before, until one says whose they were. */
export function NewSignIns({ me, onFault }: { me: Me; onFault: (fault: unknown) => void }) {
  const [list, setList] = useState<NewSignIn[]>([]);
  useRepeat(async (signal) => {
    try {
      setList((await get<Page<NewSignIn>>("/sign-ins/new", signal)).items);
    } catch (fault) {
      if (!signal.aborted) onFault(fault);
    }
  }, () => 30_000, [me.user]);
  const known = (s: NewSignIn) => async () => {
    await send("POST", "/sign-ins/new/" + encodeURIComponent(s.id));
    setList((all) => all.filter((x) => x.id !== s.id));
  };
  return (
    <>
      {list.slice(0, 3).map((s) => (
        <div class="notice" role="status" data-testid="new-sign-in" key={s.id}>
          <p>
            You signed in from {news(s)}: {visible(s.device)}{s.ip && <>, at the address <span class="breakable">{visible(s.ip)}</span></>}, {clock(s.at)}. Was that you?{!s.may_confirm && " If so, say it where you were signed in before."}
          </p>
          <div class="actions">
            {s.may_confirm && <Act label="It was me" run={known(s)} onFault={onFault} testid="new-sign-in-known" />}
            <Act label="Not me: end all my sign-ins" kind="quiet" run={() => send("POST", "/revoke", { kind: "user", id: me.user })} onFault={onFault} testid="new-sign-in-not-me" />
          </div>
        </div>
      ))}
    </>
  );
}
