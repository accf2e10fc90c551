package policy

import (
	"math"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

type comparison uint8

const (
	less comparison = iota
	lessOrEqual
	same
)

// compare compiles a comparison of two values that may depend on time, and notes when time will change its answer.
func (c compiler) compare(left, right ast.IsNode, how comparison) (test, bool) {
	a, ok := c.clock(left)
	if !ok {
		return test{}, false
	}
	b, ok := c.clock(right)
	if !ok || a.kind != b.kind {
		return test{}, false
	}
	return test{eval: func(v *view) (bool, error) {
		x, err := a.eval(v)
		if err != nil {
			return false, err
		}
		y, err := b.eval(v)
		if err != nil {
			return false, err
		}
		v.changes(min(x.until, y.until, flip(v.now(), x, y, how)))
		switch how {
		case less:
			return x.value < y.value, nil
		case lessOrEqual:
			return x.value <= y.value, nil
		}
		return x.value == y.value, nil
	}}, true
}

// flip is the first moment at which the comparison of two spans has another answer than now.
func flip(now int64, x, y span, how comparison) int64 {
	slope := x.slope - y.slope
	if slope == 0 {
		return never
	}
	d := x.value - y.value
	if (d > x.value) != (y.value < 0) { // further apart than can be counted
		return after(now, math.MaxInt64/4)
	}
	switch how {
	case same:
		switch {
		case d == 0:
			return after(now, 1)
		case (d < 0) == (slope > 0) && d%slope == 0:
			return after(now, -(d / slope))
		}
		return never
	case lessOrEqual:
		d-- // for whole numbers d <= 0 is d-1 < 0
	}
	switch {
	case slope > 0 && d < 0: // true until d reaches 0
		return after(now, ceil(-d, slope))
	case slope < 0 && d >= 0: // false until d falls below 0
		return after(now, d/-slope+1)
	}
	return never
}

func after(now, distance int64) int64 {
	if distance > math.MaxInt64-max(now, 0) {
		return never
	}
	return now + distance
}

func ceil(a, b int64) int64 {
	n := a / b
	if a%b != 0 {
		n++
	}
	return n
}

func abs(a int64) int64 {
	if a < 0 {
		return -a
	}
	return a
}

func (v *view) now() int64 { return v.in.Now.UnixMilli() }

// changes notes that time may change the verdict at a moment.
func (v *view) changes(at int64) { v.until = min(v.until, at) }
