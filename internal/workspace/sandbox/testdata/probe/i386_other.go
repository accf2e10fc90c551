//go:build !amd64

package main

import "golang.org/x/sys/unix"

// i386 is an ABI of another machine.
func i386(string) error { return unix.ENOSYS }
