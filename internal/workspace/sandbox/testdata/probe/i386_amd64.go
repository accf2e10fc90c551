package main

import "golang.org/x/sys/unix"

// int80 makes a system call by the 32-bit ABI's door, with that ABI's numbers.
func int80(number uint32) int64

// i386 asks for the process's number, which nobody refuses: 20 in that ABI.
func i386(string) error {
	if r := int32(int80(20)); r < 0 {
		return unix.Errno(-r)
	}
	return nil
}
