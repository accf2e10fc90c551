import { useEffect, useState } from "preact/hooks";
import { get, send, type Page, type Project, type Repository, type Workspace } from "../api";
import { shortURL, visible } from "../format";
import { Act, Section } from "../parts";
import { startedHere } from "../start";

/** Starting from a repository of one's projects, or from an address pasted. */
export function New({ changes, onFault }: { changes: number; onFault: (fault: unknown) => void }) {
  const [projects, setProjects] = useState<Project[]>();
  const [text, setText] = useState("");
  const [ref, setRef] = useState("");
  useEffect(() => {
    get<Page<Project>>("/projects?limit=200").then((page) => setProjects(page.items), onFault);
  }, [changes]);

  const start = (project: Project, repository: Repository) => async () => {
    const order = { project: project.name, repository: repository.url, ...(ref ? { ref } : {}) };
    const made = await send<Workspace>("POST", "/workspaces", order);
    startedHere.add(made.id);
    location.hash = "/workspace/" + made.id;
  };
  const pasted = /^https?:\/\//i.test(text.trim());
  const wanted = text.trim().toLowerCase();
  const matching = (projects ?? []).flatMap((project) => project.repositories
    .filter((r) => pasted || !wanted || (project.name + " " + r.url).toLowerCase().includes(wanted))
    .map((repository) => ({ project, repository })));

  const sites = (projects ?? []).flatMap((project) => (project.app_sites ?? []).map((site) => ({ project, site })))
    .filter(({ project, site }) => !wanted || (project.name + " " + site.name).toLowerCase().includes(wanted));

  return (
    <Section id="new" title="New workspace">
      <form class="find" onSubmit={(e) => {
        e.preventDefault();
        if (pasted) location.hash = text.trim();
      }}>
        <label class="hidden" for="find">Find a repository, or paste a context URL</label>
        <input id="find" data-testid="context-url" value={text} placeholder="Find a repository, or paste its address" autocomplete="off" spellcheck={false}
          onInput={(e) => setText(e.currentTarget.value)} />
        {pasted ? <button class="primary" data-testid="context-go">Continue</button> : (
          <>
            <label class="hidden" for="ref">Branch, tag or commit</label>
            <input id="ref" class="ref" data-testid="ref" value={ref} placeholder="default branch" autocomplete="off" spellcheck={false}
              onInput={(e) => setRef(e.currentTarget.value.trim())} />
          </>
        )}
      </form>
      {!pasted && (
        <ul class="rows" data-testid="repositories">
          {matching.map(({ project, repository }) => (
            <li data-testid="repository" data-url={repository.url} key={repository.url}>
              <div class="grow">
                <strong>{visible(repository.name)}</strong> <span class="badge">{visible(project.name)}</span>
                <span class="muted block breakable">
                  {shortURL(repository.url)}{repository.prebuilds && <> · <a href={"#/project/" + project.name} data-testid="to-prebuilds">prebuilds</a></>}
                </span>
              </div>
              {project.can_start && <Act label="Start" run={start(project, repository)} onFault={onFault} testid="start" />}
            </li>
          ))}
          {sites.map(({ project, site }) => (
            <li data-testid="app" key={site.url}>
              <div class="grow">
                <strong>{visible(site.name)}</strong> <span class="badge">{visible(project.name)}</span>
                <span class="muted block">internal app</span>
              </div>
              <a class="button" href={site.url} target="_blank" rel="noopener" data-testid="open-app">Open</a>
            </li>
          ))}
          {projects && matching.length === 0 && (
            <li class="muted">{projects.length === 0 ? "No project is open to you." : "No repository of your projects matches."}</li>
          )}
        </ul>
      )}
    </Section>
  );
}
