package docker

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// dockerfile is a Dockerfile of a repository, read as far as it could make the engine itself fetch something: from images that it
// begins with or copies from, and from addresses that it adds. The first are fetched by Lanyard and pinned, the second refused.
// Where engines read a line in different ways, it is refused.
type dockerfile struct {
	name  string
	lines []string // as they stand
	uses  []use
}

// use is a place that names an image.
type use struct {
	line  int    // index
	text  string // as it stands
	image string // with arguments filled in
}

var (
	directive   = regexp.MustCompile(`(?i)^#\s*escape\s*=`)
	continues   = regexp.MustCompile(`\\[ \t]*$`)
	ambiguous   = regexp.MustCompile(`\\\\[ \t]*$`)
	instruction = regexp.MustCompile(`^\s*([A-Za-z]+)(?:\s|$)`)
	remote      = regexp.MustCompile(`(?i)(^|["'\[,\s])([a-z][a-z0-9+.-]*://|git@|github\.com/)`)
	fromFlag    = regexp.MustCompile(`--from=(\S+)`)
	variable    = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^}]*))?\})`)
)

// parseDockerfile reads one; args are the build's.
func parseDockerfile(name string, text []byte, args map[string]string) (*dockerfile, error) {
	d := &dockerfile{name: name, lines: strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")}
	values := map[string]string{} // arguments that stand before the first FROM
	var stages []string
	begun := false // a FROM was there
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if directive.MatchString(line) {
			return nil, d.refuse(i, "the directive `escape` is not supported")
		}
		if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		first := i
		logical, err := d.logical(&i)
		if err != nil {
			return nil, err
		}
		word, rest := split(logical)
		if word == "ONBUILD" {
			word, rest = split(rest)
		}
		switch word {
		case "ARG":
			if !begun {
				key, value, _ := strings.Cut(strings.TrimSpace(rest), "=")
				values[key] = expand(strings.Trim(value, `"'`), values)
				if given, ok := args[key]; ok {
					values[key] = given
				}
			}
		case "FROM":
			begun = true
			stage, err := d.from(first, rest, values, stages)
			if err != nil {
				return nil, err
			}
			stages = append(stages, stage)
		case "ADD", "COPY":
			if err := d.copies(first, word, rest, stages); err != nil {
				return nil, err
			}
		case "RUN":
			if flag := strings.TrimSpace(rest); strings.HasPrefix(flag, "--") {
				return nil, d.refuse(first, "%s is not supported: the engine builds without BuildKit", strings.Fields(flag)[0])
			}
		}
	}
	if !begun {
		return nil, d.refuse(0, "there is no FROM")
	}
	return d, nil
}

// logical joins a line with those that continue it.
func (d *dockerfile) logical(i *int) (string, error) {
	first := *i
	text := d.lines[*i]
	for {
		line := d.lines[*i]
		if *i > first {
			if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(trimmed, "#") {
				if *i+1 == len(d.lines) {
					return text, nil
				}
				*i++ // within a continuation these count as none
				continue
			}
			if word, _ := split(line); word == "FROM" || word == "ADD" || word == "ARG" {
				return "", d.refuse(*i, "a line that continues another begins with %s, which engines read in different ways", word)
			}
			text += " " + line
		}
		if strings.Contains(line, "<<") {
			return "", d.refuse(*i, "here-documents (<<) are not supported: the engine builds without BuildKit")
		}
		if ambiguous.MatchString(line) {
			return "", d.refuse(*i, "the line ends with two backslashes, which engines read in different ways")
		}
		if !continues.MatchString(line) || *i+1 == len(d.lines) {
			return text, nil
		}
		text = continues.ReplaceAllString(text, "")
		*i++
	}
}

// from reads what a stage begins with, and returns the stage's name.
func (d *dockerfile) from(line int, rest string, values map[string]string, stages []string) (string, error) {
	fields := slices.DeleteFunc(strings.Fields(rest), func(f string) bool { return strings.HasPrefix(f, "--") })
	if len(fields) != 1 && (len(fields) != 3 || !strings.EqualFold(fields[1], "as")) {
		return "", d.refuse(line, "FROM takes an image, and a name after AS")
	}
	name := strings.ToLower(expand(fields[0], values))
	if !strings.EqualFold(name, "scratch") && !slices.Contains(stages, name) {
		d.uses = append(d.uses, use{line: line, text: fields[0], image: expand(fields[0], values)})
	}
	if len(fields) == 3 {
		return strings.ToLower(fields[2]), nil
	}
	return "", nil
}

// copies looks at what ADD and COPY bring in.
func (d *dockerfile) copies(line int, word, rest string, stages []string) error {
	if word == "ADD" && (remote.MatchString(rest) || strings.Contains(rest, "$") || strings.Contains(rest, `\`)) {
		return d.refuse(line, "ADD takes files of the repository only, named as they are: the engine would fetch an address past the gateway. Fetch it with RUN curl instead")
	}
	m := fromFlag.FindStringSubmatch(rest)
	if m == nil {
		return nil
	}
	if _, err := strconv.Atoi(m[1]); err == nil || slices.Contains(stages, strings.ToLower(m[1])) {
		return nil
	}
	if strings.Contains(m[1], "$") {
		return d.refuse(line, "%s --from takes a stage or an image, and no argument", word)
	}
	d.uses = append(d.uses, use{line: line, text: m[1], image: m[1]})
	return nil
}

// pin returns the text with each image that it names replaced; to is in the order of uses.
func (d *dockerfile) pin(to []string) []byte {
	lines := slices.Clone(d.lines)
	for i, u := range d.uses {
		lines[u.line] = strings.Replace(lines[u.line], u.text, to[i], 1)
	}
	return []byte(strings.Join(lines, "\n"))
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
