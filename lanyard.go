// Package lanyard is the root of Lanyard's module. It holds the tests of the whole tree's shape; the programs are in
// cmd, and docs/design.md is the map.
package lanyard
