#include "textflag.h"

// func int80(number uint32) int64
TEXT ·int80(SB), NOSPLIT, $0-16
	MOVL number+0(FP), AX
	INT  $0x80
	MOVQ AX, ret+8(FP)
	RET
