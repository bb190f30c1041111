/* SPDX-License-Identifier: Apache-2.0 */
/* Service.java's native method. */
#include <jni.h>

#include "publisher.h"

JNIEXPORT void JNICALL Java_Service_publish(JNIEnv *environment, jclass class, jlong trace_high,
					    jlong trace, jlong span, jint valid)
{
	(void)environment;
	(void)class;
	publish((unsigned long)trace_high, (unsigned long)trace, (unsigned long)span, valid);
}
