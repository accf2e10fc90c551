package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const whoamiRounds = 20

// benchWhoami measures `lanyard whoami` from its start to its exit, for somebody who is signed in on a laptop: it reads its
// tokens, proves their key and asks the server. Beside GitHub's command line as Debian has it, which only says its version;
// @version is our own program saying only that.
func benchWhoami(ctx context.Context, _ *bench) error {
	program, err := built()
	if err != nil {
		skip("whoami.p50", err.Error())
		return nil
	}
	w, err := startDev(ctx, program, nil)
	if err != nil {
		return err
	}
	defer w.close()
	home, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	run := func(program string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LANYARD_CONFIG_DIR=" + filepath.Join(home, "lanyard"), "LANYARD_KEYCHAIN=off",
			"GH_NO_UPDATE_NOTIFIER=1"}
		return cmd
	}
	if err := w.login(run(program, "login", "--no-browser", w.info.URL)); err != nil {
		return fmt.Errorf("lanyard login: %w", err)
	}
	peer := missing("gh")
	var own, version, gh []float64
	for round := range whoamiRounds + 1 {
		for _, one := range []struct {
			to  *[]float64
			cmd *exec.Cmd
		}{{&own, run(program, "whoami")}, {&version, run(program, "version")}, {&gh, run("gh", "version")}} {
			if one.to == &gh && peer != nil {
				continue
			}
			from := time.Now()
			if out, err := one.cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", strings.Join(one.cmd.Args, " "), err, out)
			}
			if round > 0 {
				*one.to = append(*one.to, ms(time.Since(from)))
			}
		}
	}
	if peer != nil {
		skip("whoami.p50 vs gh", peer.Error())
		report("whoami.p50", median(own), "ms")
		report("whoami.p50@version", median(version), "ms")
		return nil
	}
	compare("whoami.p50", median(own), "ms", "gh-version", median(gh))
	compare("whoami.p50@version", median(version), "ms", "gh-version", median(gh))
	return nil
}

var (
	loginAddress = regexp.MustCompile(`(http://\S+/oauth/authorize\S+)`)
	hiddenField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// login runs `lanyard login`, and allows in Ada's browser what it asks for.
func (w *devWorld) login(cmd *exec.Cmd) error {
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var text strings.Builder
	for s := bufio.NewScanner(said); s.Scan(); {
		text.WriteString(s.Text() + "\n")
		if m := loginAddress.FindStringSubmatch(s.Text()); m != nil {
			err = w.allow(m[1])
			break
		}
	}
	if err != nil {
		_ = cmd.Process.Kill() // it waits for what does not come
	}
	_, _ = io.Copy(&text, said) // its end is the command's
	if ended := cmd.Wait(); ended != nil {
		return errors.Join(err, fmt.Errorf("%w: %s", ended, text.String()))
	}
	return err
}

// allow presses the button of the page that a program leads to, and goes back to the program.
func (w *devWorld) allow(page string) error {
	browser := *w.ada.Browser.HTTP()
	resp, err := browser.Get(page)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return err
	}
	form := url.Values{"go": {"on"}}
	for _, m := range hiddenField.FindAllStringSubmatch(string(body), -1) {
		form.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	to, _, _ := strings.Cut(page, "?")
	r, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Origin", w.info.URL)
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if resp, err = browser.Do(r); err != nil {
		return err
	}
	resp.Body.Close()
	back := resp.Header.Get("Location")
	if back == "" {
		return fmt.Errorf("the page answered %s", resp.Status)
	}
	if resp, err = http.Get(back); err != nil { // the program waits at an address of this machine's own
		return err
	}
	return resp.Body.Close()
}
