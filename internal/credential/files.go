package credential

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// atMost bounds the files, in bytes.
const atMost = 64 << 10

// readFile reads a small file. No error holds what is in it.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the credential: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, atMost+1))
	if err != nil {
		return nil, fmt.Errorf("read the credential: %w", err)
	}
	if len(content) > atMost {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, atMost)
	}
	return content, nil
}

// readLine reads a file that holds one line.
func readLine(path string) (string, error) {
	content, err := readFile(path)
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(content), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n\x00") {
		return "", fmt.Errorf("%s: a credential is one line, and not empty", path)
	}
	return line, nil
}
