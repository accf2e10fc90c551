import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, type Me } from "./api";
import { visible } from "./format";

/** The line at the top. */
export function Header({ me }: { me?: Me }) {
  return (
    <header class="top">
      <a class="brand" href="/" data-testid="brand"><Mark /> Lanyard</a>
      {me && (
        <div class="account">
          <span data-testid="account-name" title={visible(me.user_name)}>{visible(me.name || me.user_name)}</span>
          <form method="post" action="/logout"><button class="quiet" data-testid="sign-out">Sign out</button></form>
        </div>
      )}
    </header>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" stroke-linecap="round">
      <path d="M6 2l5 9M18 2l-5 9" /><rect x="7.5" y="11" width="9" height="11" rx="2" /><path d="M10.5 15h3" />
    </svg>
  );
}

/** A sentence that needs to be seen; kinds: bad, note. */
export function Notice({ kind = "note", reasons, onDismiss, children }: {
  kind?: "bad" | "note"; reasons?: string[]; onDismiss?: (() => void) | undefined; children: ComponentChildren;
}) {
  return (
    <div class={"notice " + kind} role={kind === "bad" ? "alert" : "status"} data-testid="notice">
      {onDismiss && <button type="button" class="quiet dismiss" aria-label="Dismiss" onClick={onDismiss}>×</button>}
      <p>{children}</p>
      {reasons && reasons.length > 0 && <ul>{reasons.map((r) => <li>{visible(r)}</li>)}</ul>}
    </div>
  );
}

/** What went wrong, in words. */
export function Fault({ fault, onDismiss }: { fault: unknown; onDismiss?: () => void }) {
  if (!fault) return null;
  if (fault instanceof Problem) return <Notice kind="bad" reasons={fault.reasons} onDismiss={onDismiss}>
    {visible(fault.message)}{["/step-up?", "/login?"].some((at) => fault.stepUp?.startsWith(location.origin + at)) && <> <a href={fault.stepUp} data-testid="step-up">Sign in again</a></>}
  </Notice>;
  return <Notice kind="bad" onDismiss={onDismiss}>Something failed in this page. Loading it again may help.</Notice>;
}

/** A part of the page with a heading. */
export function Section({ id, title, aside, children }: { id: string; title: string; aside?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section aria-labelledby={id + "-title"} data-testid={id}>
      <div class="heading"><h2 id={id + "-title"}>{title}</h2>{aside}</div>
      {children}
    </section>
  );
}

/** A button that runs a task once at a time, and hands over its error. */
export function Act({ label, run, onFault, kind = "", testid, describedBy }: {
  label: string; run: () => Promise<void>; onFault: (fault: unknown) => void; kind?: string; testid: string; describedBy?: string;
}) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    try {
      await run();
    } catch (fault) {
      onFault(fault);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button type="button" class={kind} disabled={busy} aria-busy={busy} aria-describedby={describedBy} data-testid={testid} onClick={() => void press()}>
      {label}
    </button>
  );
}

/** Asks before something that cannot be undone. */
export function Ask({ title, children, yes, onYes, onNo }: {
  title: string; children: ComponentChildren; yes: string; onYes: () => void; onNo: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onNo} aria-labelledby="ask-title" data-testid="ask">
      <h2 id="ask-title">{title}</h2>
      {children}
      <div class="actions">
        <button type="button" onClick={onNo} data-testid="ask-no">Cancel</button>
        <button type="button" class="danger" onClick={onYes} data-testid="ask-yes">{yes}</button>
      </div>
    </dialog>
  );
}
