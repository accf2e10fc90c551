package directory

import (
	"fmt"
	"testing"
)

// TestFirstReadOfGroupsIsOneEvent: a large organisation's groups, read after its users, are told as numbers; one group more
// is told by itself.
func TestFirstReadOfGroupsIsOneEvent(t *testing.T) {
	whole := organisation(200, 100)
	users, _ := Empty().With(Change{Users: whole.Users})
	groups := Change{Groups: whole.Groups, Members: whole.Members}
	all, _, effect := users.apply(groups)
	told := events(users, all, effect, "test")
	if len(told) != 1 || told[0].Resource != "directory" || fmt.Sprint(told[0].Detail["groups"]) != "100" {
		t.Errorf("the first groups are told as %+v", told)
	}
	more, _, effect := all.apply(Change{Groups: []Group{{ID: testGroup(500), Name: "another"}}})
	if told := events(all, more, effect, "test"); len(told) != 1 || told[0].Resource != "group g500" {
		t.Errorf("one group more is told as %+v", told)
	}
}
