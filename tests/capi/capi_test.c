/* quietus.h, misused in every way that a C program can: an answer each, never a crash.
 *
 * usage: capi_test [threads|unforked]
 *
 * unforked: all but what a forked child does, which leaves to the system what is its parent's.
 */
#include "capi.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t failure_mutex = PTHREAD_MUTEX_INITIALIZER;
static int failure_count;

int failures(void) {
  pthread_mutex_lock(&failure_mutex);
  const int count = failure_count;
  pthread_mutex_unlock(&failure_mutex);
  return count;
}

static void failed(void) {
  pthread_mutex_lock(&failure_mutex);
  ++failure_count;
  pthread_mutex_unlock(&failure_mutex);
}

void expect_answer(int wanted, int answer, const char* call, const char* file, int line) {
  if (answer != wanted) {
    fprintf(stderr, "%s:%d: %s: %s, not %s (last error: %s)\n", file, line, call,
            quietus_code_name(answer), quietus_code_name(wanted), quietus_last_error());
    failed();
  } else if (answer < 0 && (quietus_last_error_code() != answer || !*quietus_last_error())) {
    fprintf(stderr, "%s:%d: %s: the last error is another: %s, \"%s\"\n", file, line, call,
            quietus_code_name(quietus_last_error_code()), quietus_last_error());
    failed();
  }
}

void expect_true(int holds, const char* condition, const char* file, int line) {
  if (holds) return;
  fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
  failed();
}

void make_vault(Fixture* fixture) {
  const char* const temporary = getenv("TMPDIR");
  quietus_create_options options = {sizeof options, NULL, 0, 1};
  memset(fixture, 0, sizeof *fixture);
  snprintf(fixture->folder, sizeof fixture->folder, "%s/quietus-capi-XXXXXX",
           temporary != NULL ? temporary : "/tmp");
  if (mkdtemp(fixture->folder) == NULL) {
    perror(fixture->folder);
    exit(1);
  }
  snprintf(fixture->key_file, sizeof fixture->key_file, "%s/key", fixture->folder);
  snprintf(fixture->vault_folder, sizeof fixture->vault_folder, "%s/vault", fixture->folder);
  snprintf(fixture->root_folder, sizeof fixture->root_folder, "%s/roots", fixture->folder);
  fixture->unlock.size = sizeof fixture->unlock;
  fixture->unlock.key_file = fixture->key_file;
  options.root_folder = fixture->root_folder;
  EXPECT(QUIETUS_OK, quietus_new_key_file(fixture->key_file));
  EXPECT(QUIETUS_OK,
         quietus_create(fixture->vault_folder, &fixture->unlock, &options, &fixture->vault));
  EXPECT(QUIETUS_OK, quietus_create_scope(fixture->vault, "acme", NULL, &fixture->scope));
  EXPECT(QUIETUS_OK, quietus_put(fixture->scope, "greeting", "hello", 5, NULL, NULL));
  if (failures() != 0) exit(1); /* there is nothing to misuse */
}

static int remove_entry(const char* path, const struct stat* status, int kind, struct FTW* where) {
  (void)status, (void)kind, (void)where;
  return remove(path);
}

void remove_vault(Fixture* fixture) {
  EXPECT(QUIETUS_OK, quietus_close_scope(fixture->scope));
  EXPECT(QUIETUS_OK, quietus_close(fixture->vault));
  nftw(fixture->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_names(void) {
  EXPECT_TRUE(quietus_last_error_code() == QUIETUS_OK && strcmp(quietus_last_error(), "") == 0);
  EXPECT_TRUE(strchr(quietus_version(), '.') != NULL);
  for (int code = QUIETUS_ECHANGED; code <= QUIETUS_TOO_SMALL; ++code)
    EXPECT_TRUE(strcmp(quietus_code_name(code), "unknown") != 0);
  const int others[] = {QUIETUS_ECHANGED - 1, QUIETUS_TOO_SMALL + 1, 1 << 30, -0x7fffffff - 1};
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
    EXPECT_TRUE(strcmp(quietus_code_name(others[i]), "unknown") == 0);
}

int main(int count, char** arguments) {
  Fixture fixture;
  const char* const mode = count > 1 ? arguments[1] : "all";
  if (strcmp(mode, "threads") == 0) {
    make_vault(&fixture);
    test_threads(&fixture);
  } else {
    test_names();
    make_vault(&fixture);
    test_handles(&fixture);
    test_arguments(&fixture);
    test_structs(&fixture);
    test_buffers(&fixture);
    test_callbacks(&fixture);
    if (strcmp(mode, "unforked") != 0) test_fork(&fixture);
    test_operations(&fixture);
    test_governed(&fixture);
    /* After all of that it is as it was. */
    char read[8];
    size_t size = 0;
    EXPECT(QUIETUS_OK, quietus_get(fixture.scope, "greeting", read, sizeof read, &size));
    EXPECT_TRUE(size == 5 && memcmp(read, "hello", 5) == 0);
  }
  remove_vault(&fixture);
  if (failures() == 0) puts("every answer was right");
  return failures() == 0 ? 0 : 1;
}
