// The dashboard: one page whose fragment says what it shows. "#https://…" is a context URL to start from,
// "#/workspace/w-…" one workspace, "#/project/NAME" a project's prebuilds, nothing is home.
import { render } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, Problem, type Me } from "./api";
import { Confirm } from "./confirm";
import { contextOf, keepForSignIn, restoreAfterSignIn } from "./fragment";
import { Home } from "./home/home";
import { Header, Notice } from "./parts";
import { ProjectPage } from "./project";
import { SignIn } from "./signin";
import { Start } from "./start";

type State = { at: "loading" } | { at: "signed-out"; why?: string } | { at: "down"; why: string } | { at: "in"; me: Me };

function App() {
  const [state, setState] = useState<State>({ at: "loading" });
  const [fragment, setFragment] = useState(location.hash.slice(1));
  const ended = useRef<string | undefined>(undefined); // why access ended, as soon as something said so

  const load = useCallback(async (why?: string) => {
    ended.current ||= why;
    try {
      const me = await get<Me>("/me");
      restoreAfterSignIn();
      ended.current = undefined;
      setState({ at: "in", me });
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      if (fault.status === 401) {
        restoreAfterSignIn(); // who comes back without having signed in still wants to go there
        // Whoever was here is told why they are not any more; who comes anew needs no word.
        setState((was) => was.at === "loading" ? { at: "signed-out" } : { at: "signed-out", why: ended.current ?? "Your session has ended." });
      }
      else if (fault.status === 403) setState({ at: "signed-out", why: fault.message });
      else setState({ at: "down", why: fault.message });
    }
  }, []);

  useEffect(() => {
    void load();
    const moved = () => setFragment(location.hash.slice(1));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, [load]);

  useEffect(() => {
    if (state.at !== "down") return;
    const timer = setTimeout(() => void load(), 2000);
    return () => clearTimeout(timer);
  }, [state, load]);

  /** What every part calls with an error: whoever is signed out sees the sign-in page, others get it back to show. */
  const signedOut = useCallback((fault: unknown) => {
    if (fault instanceof Problem && fault.status === 401) void load();
  }, [load]);

  switch (state.at) {
    case "loading":
      return <div class="loading" role="status" aria-label="Loading" />;
    case "down":
      return <><Header /><main class="narrow"><Notice kind="bad">{state.why} Trying again…</Notice></main></>;
    case "signed-out":
      return <SignIn why={state.why} context={contextOf(fragment)} onSignIn={keepForSignIn} />;
  }
  const workspace = /^\/workspace\/(w-[a-z2-7]{16})$/.exec(fragment)?.[1];
  const project = /^\/project\/([a-z0-9-]{1,63})$/.exec(fragment)?.[1];
  const context = contextOf(fragment);
  return (
    <>
      <Header me={state.me} />
      {context ? <Confirm context={context} onFault={signedOut} key={context} />
        : workspace ? <Start id={workspace} onFault={signedOut} key={workspace} />
        : project ? <ProjectPage name={project} onFault={signedOut} key={project} />
        : <Home me={state.me} onFault={signedOut} onRightsChanged={load} />}
    </>
  );
}

render(<App />, document.getElementById("app")!);
