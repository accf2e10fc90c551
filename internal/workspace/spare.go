package workspace

// Spare is how many bytes of a file system are free beside what workspaces leave free of it where the configuration says nothing.
func (s Space) Spare() int64 { return s.Free - Rules{}.reserve(s) }
