/* What the parts of the test of the C interface share: a vault to misuse, and how answers are
 * checked. */
#ifndef QUIETUS_TESTS_CAPI_H
#define QUIETUS_TESTS_CAPI_H

#define _XOPEN_SOURCE 700

#include <quietus/quietus.h>

#include <stddef.h>

/* The call must come to that answer; if it is an error, the last error of the thread tells of it.
 */
#define EXPECT(wanted, call) expect_answer((wanted), (call), #call, __FILE__, __LINE__)
#define EXPECT_TRUE(condition) expect_true((condition) != 0, #condition, __FILE__, __LINE__)
void expect_answer(int wanted, int answer, const char* call, const char* file, int line);
void expect_true(int holds, const char* condition, const char* file, int line);
/* Of all threads. */
int failures(void);

typedef struct Fixture {
  char folder[256];
  char key_file[300];
  char vault_folder[300];
  char root_folder[300];
  quietus_unlock unlock;
  quietus_vault vault;
  quietus_scope scope; /* "acme", with a record "greeting" that holds "hello" */
} Fixture;
void make_vault(Fixture* fixture);
void remove_vault(Fixture* fixture);

/* Calls every function that takes one; each must come to that answer. */
void use_vault(quietus_vault vault, int wanted);
void use_operations(quietus_vault vault, int wanted);
void use_scope(quietus_scope scope, quietus_batch batch, int wanted);

void test_handles(Fixture* fixture);
void test_arguments(Fixture* fixture);
void test_structs(Fixture* fixture);
void test_buffers(Fixture* fixture);
void test_callbacks(Fixture* fixture);
void test_fork(Fixture* fixture);
void test_operations(Fixture* fixture);
void test_governed(Fixture* fixture);
void test_threads(Fixture* fixture);

#endif
