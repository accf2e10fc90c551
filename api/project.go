package api

// Project is a project that the person may see.
type Project struct {
	ID           string       `json:"id"`
	Name         string       `json:"name"`
	Role         string       `json:"role,omitempty"`
	Via          string       `json:"via,omitempty"`
	Path         []string     `json:"path,omitempty"`
	CanStart     bool         `json:"can_start" doc:"The person may start workspaces here"`
	Repositories []Repository `json:"repositories"`
	Apps         []string     `json:"apps"`
	AppSites     []AppSite    `json:"app_sites" doc:"Apps that browsers may open"`
}

// AppSite is where a browser opens an app.
type AppSite struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Repository is a repository of a project.
type Repository struct {
	URL  string `json:"url"`
	Name string `json:"name" doc:"The last segment of its path"`
}
