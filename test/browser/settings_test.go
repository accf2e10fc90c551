package browser

import "testing"

// TestSettings is what a person sets for their workspaces: a variable, a secret one, their dotfiles.
func TestSettings(t *testing.T) {
	w := start(t)
	home := launch(t).home(w, "ada")
	set := func(name, value string) {
		home.fill(id("variable-name"), name)
		home.fill(id("variable-value"), value)
		home.click(id("set-variable"))
	}
	set("EDITOR", "vim")
	home.reads(id("variable"), "EDITOR=vim")
	home.click(id("variable-secret"))
	set("TOKEN", "correct-horse")
	home.until("the secret is listed without its value", `document.querySelectorAll('`+id("variable")+`').length === 2 && !document.body.innerText.includes("correct-horse")`)
	home.expect(` 400 .*/variables$`)
	set("GITPOD_X", "1")
	home.reads(id("notice"), "Lanyard's own")
	home.fill(id("dotfiles"), "https://git.example.test/ada/dotfiles")
	home.click(id("set-dotfiles"))
	home.click(id("remove-variable"))
	home.until("one is left", `document.querySelectorAll('`+id("variable")+`').length === 1`)
	home.shot("settings")
	home.open(w.Info.URL + "/")
	home.until("the dotfiles are kept", `document.querySelector('`+id("dotfiles")+`')?.value === "https://git.example.test/ada/dotfiles"`)
}
