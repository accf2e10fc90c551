package workspace

import "context"

// OverTime lets tests with a clock of their own look at timeouts at once.
func (m *Manager) OverTime(ctx context.Context) { m.overTime(ctx) }

// MeasureDisk likewise.
func (m *Manager) MeasureDisk(ctx context.Context, meter Meter) { m.measureDisk(ctx, meter) }

// Age likewise.
func (m *Manager) Age(ctx context.Context) { m.age(ctx) }
