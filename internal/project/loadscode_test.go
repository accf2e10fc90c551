package project

import "testing"

// TestAttack30WhatIsRefusedByFamily: what programs run by their own variables is refused whatever its name ends with; where names of
// a family that was refused whole are accepted, that is on purpose.
func TestAttack30WhatIsRefusedByFamily(t *testing.T) {
	for name, refused := range map[string]bool{
		"LESS": true, "less": true, "LESS_ADVANCED_PREPROCESSOR": true, "LESS_UNSUPPORT": true, "LESS_TOKEN": true, "LESSOPEN": true, "LESSKEY_CONTENT": true, "LESSEDIT": true, "LESSGLOBALTAGS": true,
		"EMACS": true, "EMACSPATH": true, "EMACSLOADPATH": true, "EMACSDATA": true, "EMACS_SERVER_NAME": true,
		"R_PROFILE": true, "R_PROFILE_USER": true, "R_ENVIRON_USER": true, "R_LIBS_USER": true, "R_LIBS": true, "R_KEY": true,
		"HG": true, "HGRCPATH": true, "HGPYTHON3": true, "HGMODULEPOLICY": true, "HG_BINARY": true,
		"MAKE": true, "MAKEFLAGS": true, "MAKEINFO": true, "GDB_DATA": true, "GDBHISTFILE": true, "VIM": true, "VIMINIT": true, "RES_OPTIONS": true,
		"PGSSLMODE": true, "PGSSLCRL": true, "PGREQUIREAUTH": true, "PGSERVICE": true, "GOFLAGS": true, "GO111MODULE": true, "GOAL": true, "CCACHE_PREFIX": true, "SPRING_CONFIG_NAME": true,

		// Refused once, and accepted now.
		"LESSON": false, "LESSONS_ID": false, "VIMEO_TOKEN": false, "MAKER_ID": false, "PGUSER": false, "PGPASSWORD": false, "PGDATABASE": false, "PGAPPNAME": false, "PGP_KEY": false,
		"GOOGLE_API_KEY": false, "HG_TOKEN": false, "TABLE_PREFIX": false, "LANG": false, "LC_ALL": false, "RESOLUTION": false,
		"NODE_ENV": false, "NPM_TOKEN": false, "AWS_REGION": false, "GH_TOKEN": false, "DOCKER_PASSWORD": false, "PIP_USER": false, "JAVA_VERSION": false,
	} {
		if LoadsCode(name) != refused {
			t.Errorf("%s: refused %v", name, !refused)
		}
	}
}
