package agent

import "sync"

// keptLog keeps the last of what a step writes.
type keptLog struct {
	mu  sync.Mutex
	out scrollback
}

func (l *keptLog) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.write([]byte(text))
	l.out.write([]byte("\n"))
}

func (l *keptLog) text() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, _ := l.out.history()
	return text
}
