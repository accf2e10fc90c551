//go:build !linux && !windows

package account

// machineID is empty: here the keychain keeps tokens, and files of them are bound to the user alone.
func machineID() string { return "" }
