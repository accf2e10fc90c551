import { visible } from "./format";
import { Mark, Notice } from "./parts";

const provider = document.getElementById("app")!.dataset["provider"] || "your organisation";

/** What somebody sees who is not signed in. */
export function SignIn({ why, context, onSignIn }: { why?: string | undefined; context?: string | undefined; onSignIn: () => void }) {
  return (
    <main class="card" data-testid="sign-in-page">
      <div class="big-mark"><Mark /></div>
      <h1>Lanyard</h1>
      <p class="lead">Workspaces whose access follows your role.</p>
      {why && <Notice kind="bad">{visible(why)}</Notice>}
      <a class="button primary wide" href="/login" onClick={onSignIn} data-testid="sign-in">Sign in with {provider}</a>
      {why && <p class="after"><a href="/login?prompt=select_account" onClick={onSignIn} data-testid="other-account">Use another account</a></p>}
      {context && (
        <p class="after" data-testid="sign-in-context">Then you go on with<br /><code>{visible(context)}</code></p>
      )}
      <p class="after"><a href="/login/help" data-testid="trouble">Trouble signing in?</a></p>
    </main>
  );
}
