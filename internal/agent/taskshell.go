package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// A task runs in an interactive bash, before that shows its first prompt: what its steps export, define or change to is
// there for the next step, and for the person who types afterwards. PROMPT_COMMAND is where bash can be made to do that
// with its terminal and its job control in order, and where an interrupted step (Ctrl-C) comes back to. The shell says how
// it goes on a pipe with a name: lines of "begin STEP", "end STEP STATUS" and "over STATUS".

// taskFiles are the files of one task's shell, in memory.
type taskFiles struct {
	dir    string
	report *os.File // what the shell says
}

// taskSteps are the steps in their order.
var taskSteps = [...]string{"before", "init", "command"}

// rcText is what the shell reads instead of ~/.bashrc; %[1]s is the folder, quoted.
const rcText = `[ -r ~/.bashrc ] && . ~/.bashrc
__lanyard_prompt=$(declare -p PROMPT_COMMAND 2>/dev/null)
unset PROMPT_COMMAND
PROMPT_COMMAND='. '%[1]s/run
`

// runText runs the steps; %[2]s is what comes after them.
const runText = `PROMPT_COMMAND='. '%[1]s/over
__lanyard_exit=0
for __lanyard_step in before init command; do
	[ -r %[1]s/"$__lanyard_step" ] || continue
	echo "begin $__lanyard_step" >%[1]s/report
	printf '\033[2m'; cat %[1]s/"$__lanyard_step"; printf '\033[0m\n'
	. %[1]s/"$__lanyard_step"
	__lanyard_exit=$?
	echo "end $__lanyard_step $__lanyard_exit" >%[1]s/report
	[ "$__lanyard_exit" = 0 ] || break
done
__lanyard_step=
. %[1]s/over
`

// overText gives the shell back to the person. A step that is still named was interrupted.
const overText = `[ -z "$__lanyard_step" ] || { __lanyard_exit=130; echo "end $__lanyard_step 130" >%[1]s/report; }
echo "over $__lanyard_exit" >%[1]s/report
%[2]sunset PROMPT_COMMAND
eval "$__lanyard_prompt"
unset __lanyard_step __lanyard_exit __lanyard_prompt
`

// makeTaskFiles writes the files of a task whose steps are given; those that are empty do not run.
func makeTaskFiles(parent string, t agentapi.Task, steps map[string]string, leave bool) (f *taskFiles, err error) {
	f = &taskFiles{dir: filepath.Join(parent, t.ID)}
	if err := os.RemoveAll(f.dir); err != nil {
		return nil, fmt.Errorf("the task's files: %w", err)
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, fmt.Errorf("the task's files: %w", err)
	}
	end := ""
	if leave {
		end = "exit $__lanyard_exit\n"
	}
	files := map[string]string{}
	for name, text := range map[string]string{"rc": rcText, "run": runText, "over": overText} {
		text = strings.ReplaceAll(text, "%[1]s", quoteShell(f.dir))
		files[name] = strings.ReplaceAll(text, "%[2]s", end)
	}
	for _, name := range taskSteps {
		if text := strings.TrimSpace(steps[name]); text != "" {
			files[name] = text + "\n"
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("the task's files: %w", err)
		}
	}
	path := filepath.Join(f.dir, "report")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("the task's pipe: %w", err)
	}
	// Open for both directions it has no end while nobody writes, and writers never wait for a reader.
	if f.report, err = os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("the task's pipe: %w", err)
	}
	return f, nil
}

// command is what the shell's terminal runs. Without bash the steps run in the shell that there is, and what they export
// is there for the next; an interruption ends it.
func (f *taskFiles) command() (shell string, args []string) {
	if usableShell("/bin/bash") {
		return "/bin/bash", []string{"--rcfile", filepath.Join(f.dir, "rc"), "-i"}
	}
	return "/bin/sh", []string{"-c", ". " + quoteShell(filepath.Join(f.dir, "run")) + "; exec /bin/sh -i"}
}

func (f *taskFiles) close() {
	f.report.Close()
	_ = os.RemoveAll(f.dir) // in memory: it goes with the workspace otherwise
}

// quoteShell writes text as one word of a shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
