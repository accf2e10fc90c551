package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// dockerfile is a Dockerfile of a repository, read as far as it could make the engine itself fetch something: from images that it
// begins with or copies from, and from addresses that it adds. The first are fetched by Lanyard and pinned, the second refused.
// The engine never sees the repository's text: each instruction is written anew on a line of its own, in a form that can be read in
// one way, and what cannot be written like that is refused.
type dockerfile struct {
	name  string
	steps []step
	uses  []use
	// While it is read:
	values map[string]string // arguments that stand before the first FROM
	stages map[string]int    // those that have ended, by name; one that goes on cannot be copied from
	stage  int               // index of the one that goes on; -1: none
	named  string            // its name
}

// step is an instruction as it is written anew. Where it names an image, that stands between before and after.
type step struct {
	before, after string
	use           int // index in uses; -1: it names no image
}

// use is a place that names an image.
type use struct {
	Line  int    // index
	Image string // with arguments filled in
}

var (
	directive   = regexp.MustCompile(`(?i)^\s*#\s*escape\s*=`)
	continues   = regexp.MustCompile(`\\[ \t]*$`)
	ambiguous   = regexp.MustCompile(`\\\\[ \t]*$`)
	instruction = regexp.MustCompile(`^[ \t]*([A-Za-z]+)(?:[ \t]|$)`)
	plainFrom   = regexp.MustCompile(`^[A-Za-z0-9_.:/@${}+= \t-]+$`)
	stageName   = regexp.MustCompile(`^[a-z][a-z0-9_.-]*$`)
	plainFlag   = regexp.MustCompile(`^--(from|chown|chmod)=([A-Za-z0-9_.:/@${}+-]+)$`)
	argument    = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(=(?:"[^"\\]*"|'[^'\\]*'|[^ \t"'\\]*))?(?:[ \t]+|$)`)
	variable    = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^}]*))?\})`)
)

// parseDockerfile reads one; args are the build's.
func parseDockerfile(name string, text []byte, args map[string]string) (*dockerfile, error) {
	d := &dockerfile{name: name, values: map[string]string{}, stages: map[string]int{}, stage: -1}
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if directive.MatchString(lines[i]) {
			return nil, d.refuse(i, "the directive `escape` is not supported")
		}
		if isNone(lines[i]) {
			continue
		}
		first := i
		logical, err := d.logical(lines, &i)
		if err != nil {
			return nil, err
		}
		if err := d.read(first, logical, args); err != nil {
			return nil, err
		}
	}
	if d.stage < 0 {
		return nil, d.refuse(0, "there is no FROM")
	}
	return d, nil
}

// isNone reports whether a line is empty or a comment, and so counts as none within a continuation too.
func isNone(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// logical joins a line with those that continue it, with nothing between them, as the engine does.
func (d *dockerfile) logical(lines []string, i *int) (string, error) {
	text := ""
	for first := *i; ; *i++ {
		line := lines[*i]
		if *i == first || !isNone(line) {
			// What stands between words, and where a line ends, is not the same for everybody with these.
			if !utf8.ValidString(line) || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return "", d.refuse(*i, "the line holds a control character, or is not UTF-8")
			}
			if ambiguous.MatchString(line) {
				return "", d.refuse(*i, "the line ends with two backslashes, which engines read in different ways")
			}
			text += continues.ReplaceAllString(line, "")
			if !continues.MatchString(line) {
				return text, nil
			}
		}
		if *i+1 == len(lines) {
			return text, nil
		}
	}
}

// read takes one instruction.
func (d *dockerfile) read(line int, logical string, args map[string]string) error {
	word, rest := split(logical)
	rest = strings.TrimSpace(rest)
	switch {
	case continues.MatchString(rest):
		return d.refuse(line, "%s ends with a backslash", word)
	case (word == "RUN" || word == "COPY" || word == "ADD") && strings.Contains(rest, "<<"):
		return d.refuse(line, "here-documents (<<) are not supported: the engine builds without BuildKit")
	case word == "FROM":
		return d.from(line, rest)
	case word == "ARG" && d.stage < 0:
		return d.argument(line, rest, args)
	case d.stage < 0:
		return d.refuse(line, "only ARG may stand before FROM")
	}
	switch word {
	case "COPY", "ADD":
		return d.copies(line, word, rest)
	case "RUN":
		if strings.HasPrefix(rest, "--") {
			return d.refuse(line, "%s is not supported: the engine builds without BuildKit", strings.Fields(rest)[0])
		}
	case "ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR":
	case "ONBUILD":
		return d.refuse(line, "ONBUILD is not supported: what is built here is for a workspace, and nothing begins with it")
	default:
		return d.refuse(line, "the line begins with no instruction that is known")
	}
	d.write(word + " " + rest)
	return nil
}

// write adds an instruction that names no image.
func (d *dockerfile) write(text string) { d.steps = append(d.steps, step{before: text, use: -1}) }

// writeUse adds one that does.
func (d *dockerfile) writeUse(line int, before, image, after string) {
	d.steps = append(d.steps, step{before: before, after: after, use: len(d.uses)})
	d.uses = append(d.uses, use{Line: line, Image: image})
}

// argument reads an ARG before the first FROM. Stages may take it over, so it is written as it stands.
func (d *dockerfile) argument(line int, rest string, args map[string]string) error {
	for left := rest; left != ""; {
		m := argument.FindStringSubmatch(left)
		if m == nil {
			return d.refuse(line, "ARG before FROM takes names, with plain values after =")
		}
		left = left[len(m[0]):]
		if value, ok := args[m[1]]; ok {
			d.values[m[1]] = value
		} else if m[2] != "" {
			d.values[m[1]] = expand(strings.Trim(m[2][1:], `"'`), d.values)
		}
	}
	d.write("ARG " + rest)
	return nil
}

// from reads what a stage begins with.
func (d *dockerfile) from(line int, rest string) error {
	fields := strings.Fields(rest)
	if len(fields) > 0 && strings.HasPrefix(fields[0], "--") {
		// The engine builds for the machine that it runs on; a FROM that says the same may say it.
		value, ok := strings.CutPrefix(fields[0], "--platform=")
		if value = strings.Trim(value, "${}"); !ok || value != platform() && value != "BUILDPLATFORM" && value != "TARGETPLATFORM" {
			return d.refuse(line, "FROM takes no %s here: images are for %s", fields[0], platform())
		}
		fields = fields[1:]
	}
	if !plainFrom.MatchString(rest) || len(fields) != 1 && (len(fields) != 3 || !strings.EqualFold(fields[1], "as")) {
		return d.refuse(line, "FROM takes an image, and a name after AS")
	}
	if d.named != "" {
		d.stages[d.named] = d.stage
	}
	d.stage++
	d.named = ""
	after := ""
	if len(fields) == 3 {
		d.named = strings.ToLower(fields[2])
		if _, taken := d.stages[d.named]; taken || !stageName.MatchString(d.named) || d.named == "scratch" {
			return d.refuse(line, "a stage cannot be named %s", fields[2])
		}
		after = " AS " + d.named
	}
	image := expand(fields[0], d.values)
	_, isStage := d.stages[strings.ToLower(image)]
	switch {
	case image == "":
		return d.refuse(line, "FROM names no image: %s is empty", fields[0])
	case isStage:
		d.write("FROM " + strings.ToLower(image) + after)
	case image == "scratch":
		d.write("FROM scratch" + after)
	default:
		d.writeUse(line, "FROM ", image, after)
	}
	return nil
}

// copies looks at what ADD and COPY bring in.
func (d *dockerfile) copies(line int, word, rest string) error {
	flags, from := word, ""
	for strings.HasPrefix(rest, "--") {
		flag, left := rest, ""
		if end := strings.IndexAny(rest, " \t"); end >= 0 {
			flag, left = rest[:end], strings.TrimLeft(rest[end:], " \t")
		}
		m := plainFlag.FindStringSubmatch(flag)
		switch {
		case m == nil || m[1] == "from" && word == "ADD":
			return d.refuse(line, "%s takes no %s here", word, flag)
		case m[1] != "from":
			flags += " " + flag
		case from != "" || strings.ContainsAny(m[2], "${}+"):
			return d.refuse(line, "%s --from takes a stage or an image, once, and no argument", word)
		default:
			from = m[2]
		}
		rest = left
	}
	if word == "ADD" {
		names := strings.Fields(rest)
		if strings.HasPrefix(rest, "[") {
			names = nil
			if json.Unmarshal([]byte(rest), &names) != nil {
				names = []string{rest} // which has quotes or is no name either
			}
		}
		// Variables, quotes and backslashes could make an address of what does not look like one.
		for _, name := range names {
			if strings.ContainsAny(name, "$\\:\"'[]") {
				return d.refuse(line, "ADD takes files of the repository only, named as they are: the engine would fetch an address past the gateway. Fetch it with RUN curl instead")
			}
		}
		list, err := json.Marshal(names)
		if err != nil {
			return err
		}
		d.write(flags + " " + string(list))
		return nil
	}
	stage, known := d.stages[strings.ToLower(from)]
	if index, err := strconv.Atoi(from); err == nil {
		if index < 0 || index >= d.stage {
			return d.refuse(line, "COPY --from=%s: there is no such stage before", from)
		}
		stage, known = index, true
	}
	switch {
	case from == "":
		d.write(flags + " " + rest)
	case known:
		d.write(flags + " --from=" + strconv.Itoa(stage) + " " + rest)
	default:
		d.writeUse(line, flags+" --from=", from, " "+rest)
	}
	return nil
}

// pin returns what the engine builds, with each image that it names replaced; to is in the order of uses.
func (d *dockerfile) pin(to []string) []byte {
	var b bytes.Buffer
	for _, s := range d.steps {
		b.WriteString(s.before)
		if s.use >= 0 {
			b.WriteString(to[s.use])
		}
		b.WriteString(s.after + "\n")
	}
	return b.Bytes()
}

func (d *dockerfile) refuse(line int, format string, args ...any) error {
	return problem.New(problem.Invalid, "%s:%d: %s.", d.name, line+1, fmt.Sprintf(format, args...))
}

// split takes an instruction's word, in capitals, from the rest.
func split(line string) (word, rest string) {
	m := instruction.FindStringSubmatch(line)
	if m == nil {
		return "", line
	}
	line = strings.TrimLeft(line, " \t")
	return strings.ToUpper(m[1]), line[len(m[1]):]
}

// expand fills in $NAME, ${NAME}, ${NAME:-other} and ${NAME:+other}.
func expand(s string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(s, func(found string) string {
		m := variable.FindStringSubmatch(found)
		name := m[1] + m[2]
		value, set := values[name]
		if strings.HasPrefix(m[3], ":") {
			set = value != ""
		}
		switch {
		case strings.HasSuffix(m[3], "-") && !set:
			return m[4]
		case strings.HasSuffix(m[3], "+") && set:
			return m[4]
		case strings.HasSuffix(m[3], "+"):
			return ""
		}
		return value
	})
}
