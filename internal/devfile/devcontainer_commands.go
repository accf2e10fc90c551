package devfile

import "strings"

// command reads a lifecycle command: a text for a shell, a list that runs without one, or named ones that run at once.
func (d *devReader) command(p *Plan, e entry) {
	step := Step{Stage: Stage(e.key), At: e.at}
	if e.value.kind == object {
		for _, k := range e.value.entries {
			if part, ok := d.part(e.key+"."+k.key, k.value); ok {
				part.Name = k.key
				step.Parts = append(step.Parts, part)
			}
		}
	} else if part, ok := d.part(e.key, e.value); ok {
		step.Parts = []Part{part}
	}
	if len(step.Parts) > 0 {
		p.Lifecycle = append(p.Lifecycle, step)
	}
}

func (d *devReader) part(key string, n node) (Part, bool) {
	switch n.kind {
	case text:
		return Part{Shell: inShell(n.text)}, strings.TrimSpace(n.text) != ""
	case list:
		argv := make([]string, 0, len(n.items))
		late := false
		for _, one := range n.items {
			if one.kind != text {
				d.wrong(key, one, "a text")
				continue
			}
			argv = append(argv, one.text)
			late = late || strings.Contains(one.text, "${containerEnv:")
		}
		if len(argv) > 0 && argv[0] == "" {
			d.report(n.at, "`%s`: the command has no name", key)
		}
		if late {
			return Part{Shell: "exec " + quoted(argv)}, true
		}
		return Part{Argv: argv}, len(argv) > 0
	case null:
	default:
		d.wrong(key, n, "a text, a list or a mapping")
	}
	return Part{}, false
}

// inShell writes ${containerEnv:NAME}, which is known in the container only, as the shell's own.
func inShell(s string) string {
	return variable.ReplaceAllStringFunc(s, func(match string) string {
		name, args := variableParts(match)
		if name != "containerEnv" || len(args) == 0 || !envName.MatchString(args[0]) {
			return match
		}
		if len(args) > 1 {
			return "${" + args[0] + "-" + args[1] + "}"
		}
		return "${" + args[0] + "}"
	})
}

// quoted writes a command without a shell as one for it, in which the container's variables alone are filled in.
func quoted(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		var b strings.Builder
		rest := arg
		for _, at := range variable.FindAllStringIndex(arg, -1) {
			match := arg[at[0]:at[1]]
			if filled := inShell(match); filled != match {
				before, after, _ := strings.Cut(rest, match)
				b.WriteString(single(before) + `"` + filled + `"`)
				rest = after
			}
		}
		b.WriteString(single(rest))
		if b.Len() == 0 {
			b.WriteString("''")
		}
		words[i] = b.String()
	}
	return strings.Join(words, " ")
}

func single(s string) string {
	if s == "" {
		return ""
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
