// Package devfile reads what a repository says of its workspace: .gitpod.yml and devcontainer.json. It is pure: bytes
// in, a Plan and findings out. Nothing that a file asks for is dropped in silence: what Lanyard does not do is a Note.
package devfile

// Plan is what a repository says of its workspace, whichever file says it. The zero value says nothing.
type Plan struct {
	File  string // path in the repository that said it, with slashes; empty: no file
	Image Image
	// User is the user of the image that processes run as (a name or a number); empty: the image's own.
	User string
	// Env is the environment of every process (containerEnv), RemoteEnv that of terminals, tasks and commands only. Values
	// of RemoteEnv may hold ${containerEnv:NAME} and ${containerEnv:NAME:default}, which the agent fills in.
	Env, RemoteEnv map[string]string
	// Tasks run in terminals of their own, all at once (.gitpod.yml). Lifecycle runs one after the other, before them, and
	// the first that fails ends it (devcontainer.json).
	Tasks     []Task
	Lifecycle []Step
	// WaitFor is the stage of Lifecycle after which the workspace counts as ready; empty: After "updateContent".
	WaitFor Stage
	Ports   []Port
	// OtherPorts is what holds for ports that Ports does not name.
	OtherPorts Port
	// Repositories are cloned beside the repository itself.
	Repositories []Repository
	// Folder is where terminals and tasks begin: absolute, below /workspace; empty: the checkout.
	Folder string
	// Checkout is where the file believes the checkout to be, absolute; empty: where it is.
	Checkout string
	// Probe says which shell's files RemoteEnv is completed from (devcontainer.json: userEnvProbe): loginShell,
	// interactiveShell, loginInteractiveShell or none; empty: the file does not say.
	Probe     string
	GitConfig []Setting
	Volumes   []Volume
	Features  []Feature
	// FeatureOrder names features that are installed before others, as far as what they need allows.
	FeatureOrder []string
	Needs        Needs
	// Extensions are Visual Studio Code's, by ID. An editor in the browser comes later; until then they are shown.
	Extensions []string
	Notes      []Note
}

// Image is what the workspace's files come from. At most one of Ref and Dockerfile is set; neither: the project's.
type Image struct {
	Ref        string // as a registry names it: host/name:tag or host/name@digest
	Dockerfile string // path in the repository
	Context    string // folder in the repository that the build sees; "" is the root
	Target     string
	Args       map[string]string
}

// Task is a terminal and what is typed there.
type Task struct {
	Name string
	// Before runs at every start; Init once for a checkout, or in its prebuild; Command after them, at every start. Each
	// is text for bash, all in one shell, so that what one exports the next sees.
	Before, Init, Command string
	Env                   map[string]string
	OpenIn, OpenMode      string // for editors
	At                    Place
}

// Stage is when a Step of a devcontainer's life runs.
type Stage string

// The stages in their order (https://containers.dev/implementors/spec/#lifecycle). The first three run once for a
// checkout, or in its prebuild (but for PostCreate); PostStart runs at every start, PostAttach whenever somebody opens it.
const (
	OnCreate      Stage = "onCreateCommand"
	UpdateContent Stage = "updateContentCommand"
	PostCreate    Stage = "postCreateCommand"
	PostStart     Stage = "postStartCommand"
	PostAttach    Stage = "postAttachCommand"
)

// Step is one command of a devcontainer's life. Its parts run at once; the step ends when all have.
type Step struct {
	Stage Stage
	Parts []Part
	From  string // the feature that brings it; empty: the file itself
	At    Place
}

// Part is one command: Shell is text for /bin/sh, Argv runs without a shell. One of them is set.
type Part struct {
	Name  string // empty where the step has only one
	Shell string
	Argv  []string
}

// Port is what is said of a port, or of the ports First to Last.
type Port struct {
	First, Last int
	// OnOpen is what happens when something listens there: notify, openBrowser, openPreview, silent, ignore.
	OnOpen           string
	Public           bool // what the file wishes; sharing needs policy
	Name, Protocol   string
	Description      string
	Forward          bool // it is forwarded although nothing listens yet (forwardPorts)
	RequireLocalPort bool
	Elevate          bool
	At               Place
}

// Repository is another repository that the workspace holds.
type Repository struct {
	URL      string
	Checkout string // folder below /workspace; empty: the repository's name
	At       Place
}

// Setting is one of Git's: "section.name".
type Setting struct{ Key, Value string }

// Volume is a named volume that outlives the container, mounted at Target.
type Volume struct {
	Name, Target string
	ReadOnly     bool
	At           Place
}

// Feature is an addition to the image (https://containers.dev/implementors/features/).
type Feature struct {
	Ref     string // registry reference, or a path in the repository that begins with "./"
	Options map[string]string
	At      Place
}

// Needs are what the file asks of the machine; zero: nothing. Memory and Storage in bytes.
type Needs struct {
	CPUs            int
	Memory, Storage int64
	GPU             bool
}

// Place is a line and a column, from 1, of the file.
type Place struct{ Line, Column int }

// Note is a key that is read and has no effect, or another one than its author may expect.
type Note struct {
	Key, Text string
	At        Place
}
