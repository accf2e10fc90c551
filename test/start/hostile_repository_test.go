package start_test

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// repository is a tree with all that makes Git or a reader of files do more than its person wants: it is cloned, and then worked
// with as somebody does who expects no harm.
func (c *canaries) repository(t *testing.T, w world, image string) {
	some := w.git(t, t.TempDir(), "rev-parse", "main")
	submodules := map[string]string{
		"ext":      "ext::sh -c " + strings.ReplaceAll(c.run("ext"), " ", "% "),
		"file":     "file://" + w.Data + "/git/payments/assets.git",
		"path":     w.Data + "/git/payments/assets.git",
		"up":       "../../../../../../.." + w.Data + "/git/shop/web.git",
		"option":   "--upload-pack=" + c.run("option"),
		"ssh":      "ssh://-oProxyCommand=" + strings.ReplaceAll(c.run("ssh"), " ", "${IFS}") + "/x",
		"loopback": "http://127.0.0.1:" + c.port + "/x",
		"metadata": "http://169.254.169.254/latest/meta-data/",
		"other":    host + "shop/web",
		"../../x":  host + "payments/assets",
	}
	all := map[string]object{
		".gitpod.yml": {text: `image: ` + image + `
gitConfig: {core.hooksPath: /workspace/api/hooks, core.fsmonitor: /workspace/api/run, init.templateDir: /workspace/api/template, filter.evil.smudge: /workspace/api/run, filter.evil.clean: cat,
  core.sshCommand: /workspace/api/run, protocol.ext.allow: always, protocol.file.allow: always, safe.bareRepository: all, http.proxy: "http://127.0.0.1:` + c.port + `", include.path: ` + c.file + `}
additionalRepositories: [{url: "ext::sh -c id"}, {url: "file://` + w.Data + `/git/shop/web.git"}, {url: "--upload-pack=id"}, {url: "http://127.0.0.1:` + c.port + `/x/y"}, {url: "` + host + `shop/web"}]
`},
		"run":                          {mode: "100755", text: "#!/bin/sh\n" + c.run("fsmonitor") + "\ncat\n"},
		"hooks/post-checkout":          {mode: "100755", text: "#!/bin/sh\n" + c.run("hook") + "\n"},
		"template/hooks/post-checkout": {mode: "100755", text: "#!/bin/sh\n" + c.run("template") + "\n"},
		".gitattributes":               {text: "*.txt filter=evil\n*.bin filter=lfs diff=lfs merge=lfs\n"},
		".lfsconfig":                   {text: "[lfs]\n\turl = http://127.0.0.1:" + c.port + "/lfs\n\tstandalonetransferagent = evil\n[lfs \"customtransfer.evil\"]\n\tpath = /workspace/api/run\n"},
		"large.bin":                    {text: "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 1\n"},
		"x.txt":                        {text: "x\n"},
		"bare/HEAD":                    {text: "ref: refs/heads/main\n"},
		"bare/config":                  {text: "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ..\n\tfsmonitor = \"" + c.run("bare") + "; false\"\n"},
		"bare/objects/keep":            {text: ""},
		"bare/refs/keep":               {text: ""},
		"links/file":                   link(c.file),
		"links/up":                     link("../../../../../../.." + c.file),
		"links/shadow":                 link("/etc/shadow"),
		"links/server":                 link(w.Data + "/server"),
		"links/key":                    link(w.Data + "/secrets/encryption.key"),
		"links/socket":                 link(w.Info.Socket),
		"links/agent":                  link("/opt/lanyard/lanyard-agent"),
		"links/first":                  link("/proc/1/environ"),
		"links/root":                   link("/proc/1/root"),
		"\x1b]0;owned\x07\n\r.txt":     {text: "x\n"},
	}
	modules := ""
	for name, url := range submodules {
		modules += "[submodule \"" + name + "\"]\n\tpath = sub/" + strings.Trim(name, "./") + "\n\turl = \"" + strings.ReplaceAll(url, `"`, `\"`) + "\"\n\tupdate = checkout\n"
		all["sub/"+strings.Trim(name, "./")] = object{mode: "160000", text: some}
	}
	all[".gitmodules"] = object{text: modules}
	w.commitObjects(t, "hostile", all)
	ws, said := w.begin(t, api.Order{ContextURL: host + repo + "/tree/hostile"})
	c.silent(t, w, said, ws.Message)
	if ws.Phase != "running" {
		t.Fatal(ws.Message)
	}
	for _, left := range []string{"ext::sh -c id", "file://", "--upload-pack=id", "http://127.0.0.1", host + "shop/web"} {
		if !strings.Contains(said, left) || !strings.Contains(said, " is left out: ") {
			t.Errorf("nobody says that %s is left out", left)
		}
	}
	// No submodule came with the clone.
	if got := w.Must("ada", ws, "cd /workspace/api && ls -A sub/* .git/modules 2>/dev/null; ls /workspace"); strings.Contains(got, "HEAD") || !strings.HasSuffix(got, "api\n") {
		t.Errorf("the clone brought %s", got)
	}
	// As people do: looking around, another branch and back, all submodules, one by one.
	out := w.Must("ada", ws, `cd /workspace/api; exec 2>&1; git status; git checkout -q main; git checkout -q hostile; git add -A; git diff HEAD
		for s in sub/*; do timeout 20 git submodule update --init --force --recursive -- "$s"; timeout 20 git -C "$s" log --oneline; done
		cd bare && git status; cd ..; for l in links/*; do cat "$l" "$l"/* 2>&1; ls -a "$l/"; done; git lfs pull; find . -type f | xargs -d '\n' cat; true`)
	c.silent(t, w, printing(out))
	for _, want := range []string{"cannot use bare repository", "transport 'ext' not allowed", "transport 'file' not allowed"} {
		if !strings.Contains(out, want) {
			t.Errorf("Git does not say %q", want)
		}
	}
	ran := w.Must("ada", ws, "sort -u /tmp/ran")
	if ran != "fsmonitor\nhook\n" { // which shows that what could run did, and here
		t.Errorf("inside ran %q", ran)
	}
	t.Logf("%s", printing(out))
}

// printing is what a shell printed of files without those bytes that the files themselves hold.
func printing(s string) string { return strings.NewReplacer("\x1b", "", "\x07", "").Replace(s) }
