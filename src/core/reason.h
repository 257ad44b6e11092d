/*
 * The words for errors and reasons, made from the public header's lists, so
 * that there is one list.  Hides the tables; refuses nothing: an unknown
 * number has words too.
 */
#ifndef PF_REASON_H
#define PF_REASON_H

#include "pinfast.h"

#endif
