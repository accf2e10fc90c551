package workspace

import "context"

// OverTime lets tests with a clock of their own look at timeouts at once.
func (m *Manager) OverTime(ctx context.Context) { m.overTime(ctx) }

// MeasureDisk likewise, of all.
func (m *Manager) MeasureDisk(ctx context.Context, d Disk) {
	for _, row := range m.List() {
		if class, err := m.class(row); err == nil {
			m.measureDisk(ctx, d, row, class, 0)
		}
	}
}

// Age likewise.
func (m *Manager) Age(ctx context.Context) { m.age(ctx) }

// Look compares what runs with what should.
func (m *Manager) Look(ctx context.Context) { m.look(ctx) }

// LookAtWarm lets what is made ahead be looked at now.
func (m *Manager) LookAtWarm() { m.wakeWarm() }

// Coming is how many guests wait for room.
func (m *Manager) Coming() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.coming)
}
