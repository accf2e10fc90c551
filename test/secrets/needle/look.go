package needle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Request is what a searcher is to do.
type Request struct {
	Marks        []Mark   `json:"marks"`
	Roots        []string `json:"roots"` // folders
	Skip         []string `json:"skip"`  // folders below them that are left out
	AllProcesses bool     `json:"all_processes"`
	Processes    []int    `json:"processes"` // these
	Commands     []string `json:"commands"`  // shell lines whose output is searched
}

// Found is a secret and where it was.
type Found struct {
	Where string `json:"where"`
	Name  string `json:"name"`
}

// Report is what a search saw.
type Report struct {
	Found      []Found  `json:"found"`
	Files      int      `json:"files"`
	FileBytes  int64    `json:"file_bytes"`
	Memory     int64    `json:"memory"`      // bytes of processes' memory
	Read       []int    `json:"read"`        // processes whose memory was read
	Refused    []int    `json:"refused"`     // processes whose memory was not
	Unreadable int      `json:"unreadable"`  // files and folders that were refused
	Commands   int      `json:"commands"`    // commands whose output was searched
	Said       int64    `json:"said"`        // bytes of it
	SaidFailed []string `json:"said_failed"` // commands that failed
}

// Search looks everywhere that its user can.
type Search struct {
	Set *Set
	Report
}

const piece = 1 << 20

// Stream searches all that r gives and returns how much that was.
func (s *Search) Stream(where string, r io.Reader) (total int64, err error) {
	buffer := make([]byte, piece)
	kept := 0
	for {
		n, err := io.ReadFull(r, buffer[kept:])
		s.look(where, buffer[:kept+n])
		total += int64(n)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil
			}
			return total, err
		}
		kept = copy(buffer, buffer[len(buffer)-Window+1:]) // a secret may lie across two pieces
	}
}

func (s *Search) look(where string, b []byte) {
	for _, name := range s.Set.Find(b) {
		if f := (Found{where, name}); !slices.Contains(s.Found, f) {
			s.Report.Found = append(s.Report.Found, f)
		}
	}
}

// Tree searches the content and the names of all files below root; links are not followed, devices and sockets not
// read. Folders in skip are left out.
func (s *Search) Tree(root string, skip ...string) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			s.Unreadable++
			return nil
		}
		if d.IsDir() && slices.Contains(skip, path) {
			return fs.SkipDir
		}
		s.look("the name "+path, []byte(path))
		if d.Type()&fs.ModeSymlink != 0 {
			if to, err := os.Readlink(path); err == nil {
				s.look("the link "+path, []byte(to))
			}
		}
		// A device that is mounted over a file is a file in its folder's list.
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			s.Unreadable++
			return nil
		}
		defer f.Close()
		n, err := s.Stream("the file "+path, f)
		if err != nil {
			s.Unreadable++
		}
		s.Files++
		s.FileBytes += n
		return nil
	})
}

// Processes searches arguments, environments and memory of every process that can be read, but its own memory, which
// holds what was read before.
func (s *Search) Processes() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		s.Process(pid)
	}
	return nil
}

// Process searches one process.
func (s *Search) Process(pid int) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	for _, name := range []string{"cmdline", "environ"} {
		if b, err := os.ReadFile(dir + name); err == nil {
			s.look(name+" of process "+strconv.Itoa(pid), b)
		}
	}
	if pid == os.Getpid() {
		return
	}
	n, err := Memory(pid, func(b []byte) { s.look("the memory of process "+strconv.Itoa(pid), b) })
	switch {
	case errors.Is(err, fs.ErrNotExist): // it has ended
	case err != nil:
		s.Refused = append(s.Refused, pid)
	default:
		s.Read = append(s.Read, pid)
		s.Report.Memory += n
	}
}

// Memory calls see with all the memory of a process, in pieces that overlap. It returns how much that was.
func Memory(pid int, see func([]byte)) (total int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return 0, err
	}
	defer memory.Close()
	buffer := make([]byte, piece)
	lines := bufio.NewScanner(bytes.NewReader(maps))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 || !strings.HasPrefix(fields[1], "r") || strings.HasPrefix(fields[len(fields)-1], "[v") {
			continue // not to be read; or the kernel's own pages
		}
		first, last, _ := strings.Cut(fields[0], "-")
		from, err1 := strconv.ParseInt(first, 16, 64)
		to, err2 := strconv.ParseInt(last, 16, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		for at := from; at < to; at += piece - overlap {
			n, err := memory.ReadAt(buffer[:min(piece, to-at)], at)
			if n > 0 {
				see(buffer[:n])
				total += int64(n)
			}
			if err != nil || at+piece >= to {
				break // the process has let go of it
			}
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("nothing of the memory of process %d could be read", pid)
	}
	return total, nil
}

// overlap is more than a token: Memory's callers look for those too.
const overlap = 16 << 10

// Command searches what a shell line prints.
func (s *Search) Command(line string) {
	out, err := exec.Command("bash", "-c", line).CombinedOutput()
	if err != nil {
		s.SaidFailed = append(s.SaidFailed, line+": "+err.Error())
	}
	s.look("what "+line+" prints", out)
	s.Commands++
	s.Said += int64(len(out))
}
