package server

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// gitpodEnv is the environment that people and scripts know from Gitpod, as far as it means something here. The names that
// begin with GITPOD_ are Lanyard's: nothing else sets them.
func (x *preparing) gitpodEnv(setup agentapi.Setup) map[string]string {
	row := x.row
	roots := []string{"/workspace/" + row.Name}
	for _, r := range setup.More {
		roots = append(roots, "/workspace/"+r.Folder)
	}
	contextURL := row.Context
	if contextURL == "" {
		contextURL = row.Repository
	}
	class := row.Class
	env := map[string]string{
		"GITPOD_WORKSPACE_CONTEXT_URL":   contextURL,
		"GITPOD_WORKSPACE_CONTEXT":       x.contextJSON(contextURL),
		"GITPOD_WORKSPACE_NAME":          row.Name,
		"GITPOD_INSTANCE_ID":             string(row.ID), // one run of a workspace has no name of its own here
		"GITPOD_REPO_ROOTS":              strings.Join(roots, ","),
		"GITPOD_HEADLESS":                "false",
		"GITPOD_TASKS":                   tasksJSON(setup.Tasks),
		"GITPOD_DEFAULT_WORKSPACE_IMAGE": x.ready.Image.Ref,
		"THEIA_WORKSPACE_ROOT":           roots[0],
		"LANYARD_CONTEXT_URL":            contextURL,
		"LANYARD_REPOSITORY":             row.Repository,
	}
	if x.said.Commit != "" {
		env["LANYARD_COMMIT"] = x.said.Commit
	}
	if u, err := url.Parse(x.options.URL); err == nil {
		env["GITPOD_WORKSPACE_CLUSTER_HOST"] = u.Host
	}
	if c, err := x.class(row); err == nil {
		class = c.Name
		env["GITPOD_WORKSPACE_CLASS_INFO"] = jsonText(map[string]string{"id": c.Name, "displayName": c.Name, "description": c.Title})
		if c.Memory > 0 {
			env["GITPOD_MEMORY"] = strconv.FormatInt(c.Memory>>20, 10) // MiB, as there
		}
		if c.CPUs > 0 {
			env["GITPOD_CPU_COUNT"] = strconv.Itoa(int(max(c.CPUs, 1)))
		}
	}
	env["GITPOD_WORKSPACE_CLASS"] = class
	if env["GITPOD_DEFAULT_WORKSPACE_IMAGE"] == "" {
		delete(env, "GITPOD_DEFAULT_WORKSPACE_IMAGE")
	}
	return env
}

// contextJSON is what was opened, in Gitpod's words: those fields that tools read.
func (x *preparing) contextJSON(contextURL string) string {
	c := map[string]any{
		"title": strings.TrimPrefix(x.row.Repository, "https://"), "normalizedContextURL": contextURL,
		"repository": map[string]string{"cloneUrl": x.row.Repository + ".git", "name": x.row.Name},
	}
	if x.said.Commit != "" {
		c["revision"] = x.said.Commit
	}
	if x.row.Ref != "" {
		c["ref"] = x.ref()
	}
	if x.row.Request != 0 {
		c["nr"] = x.row.Request
	}
	return jsonText(c)
}

func tasksJSON(tasks []agentapi.Task) string {
	type task struct {
		Name    string            `json:"name,omitempty"`
		Before  string            `json:"before,omitempty"`
		Init    string            `json:"init,omitempty"`
		Command string            `json:"command,omitempty"`
		Env     map[string]string `json:"env,omitempty"`
	}
	all := []task{}
	for _, t := range tasks {
		all = append(all, task{t.Name, t.Before, t.Init, t.Then, t.Env})
	}
	return jsonText(all)
}

// jsonText is v as JSON, as it is read in a shell; v is made of strings and numbers.
func jsonText(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // cannot fail for those
	return strings.TrimSuffix(b.String(), "\n")
}
