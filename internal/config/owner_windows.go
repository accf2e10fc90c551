package config

import "os"

// GiveLike leaves an open file as it is: on Windows nobody sets up a server for another user.
func GiveLike(*os.File, string) error { return nil }
