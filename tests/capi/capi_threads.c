/* Handles that are used, and closed, by many threads at once. */
#include "capi.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { kThreads = 8, kRounds = 6 };

typedef struct Shared {
  Fixture* fixture;
  quietus_vault vault;
  quietus_scope scope;
  quietus_batch batch;
  pthread_barrier_t begin;
  pthread_mutex_t mutex;
  int closed; /* how many were told that it was they who closed it */
} Shared;

/* What a handle may answer while others close it. */
static int is_fair(int answer) {
  return answer == QUIETUS_OK || answer == QUIETUS_ABSENT || answer == QUIETUS_EINVALID ||
         answer == QUIETUS_EUNAVAILABLE;
}

static void told(Shared* shared, int answer) {
  if (answer != QUIETUS_OK) return;
  pthread_mutex_lock(&shared->mutex);
  ++shared->closed;
  pthread_mutex_unlock(&shared->mutex);
}

static int ignore_record(void* context, const quietus_record_info* info) {
  (void)context, (void)info;
  return 0;
}

/* Uses all three handles until all are closed. */
static void* use(void* context) {
  Shared* const shared = context;
  char bytes[64];
  size_t size = 0;
  quietus_status_info status = {.size = sizeof status};
  pthread_barrier_wait(&shared->begin);
  for (int gone = 0; gone < 3;) {
    const int answers[] = {quietus_status(shared->vault, &status),
                           quietus_get(shared->scope, "greeting", bytes, sizeof bytes, &size),
                           quietus_batch_put(shared->batch, "batched", "x", 1, NULL),
                           quietus_put(shared->scope, "put", "x", 1, NULL, NULL),
                           quietus_write(shared->scope, shared->batch),
                           quietus_list(shared->scope, "", ignore_record, NULL)};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; ++i) EXPECT_TRUE(is_fair(answers[i]));
    gone = (answers[0] == QUIETUS_EINVALID) + (answers[1] == QUIETUS_EINVALID) +
           (answers[2] == QUIETUS_EINVALID);
  }
  /* The last error is of this thread, whatever others do. */
  EXPECT(QUIETUS_EINVALID, quietus_put(shared->scope, "x", "x", 1, NULL, NULL));
  return NULL;
}

static void* close_all(void* context) {
  Shared* const shared = context;
  pthread_barrier_wait(&shared->begin);
  Fixture* const f = shared->fixture;
  char bytes[64];
  size_t size = 0;
  for (int i = 0; i < 3; ++i) (void)quietus_get(f->scope, "greeting", bytes, sizeof bytes, &size);
  told(shared, quietus_close_batch(shared->batch));
  told(shared, quietus_close_scope(shared->scope));
  told(shared, quietus_close(shared->vault));
  return NULL;
}

static void round_of_closing(Fixture* f) {
  Shared shared = {.fixture = f, .vault = f->vault};
  pthread_t threads[kThreads];
  EXPECT(QUIETUS_OK, quietus_open_scope(f->vault, "acme", &shared.scope));
  EXPECT(QUIETUS_OK, quietus_new_batch(&shared.batch));
  pthread_barrier_init(&shared.begin, NULL, kThreads);
  pthread_mutex_init(&shared.mutex, NULL);
  for (int i = 0; i < kThreads; ++i)
    if (pthread_create(&threads[i], NULL, i % 2 == 0 ? use : close_all, &shared) != 0)
      expect_true(0, "a thread begins", __FILE__, __LINE__);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  EXPECT_TRUE(shared.closed == 3); /* each once, by one of them */
  pthread_barrier_destroy(&shared.begin);
  pthread_mutex_destroy(&shared.mutex);
  /* All calls have ended, so nothing holds the vault any more. */
  EXPECT(QUIETUS_OK, quietus_open(f->vault_folder, &f->unlock, NULL, &f->vault));
  EXPECT(QUIETUS_OK, quietus_close_scope(f->scope));
  EXPECT(QUIETUS_OK, quietus_open_scope(f->vault, "acme", &f->scope));
}

/* Errors of one thread are not seen by another. */
static void* fails(void* context) {
  (void)context;
  EXPECT_TRUE(quietus_last_error_code() == QUIETUS_OK && strcmp(quietus_last_error(), "") == 0);
  EXPECT(QUIETUS_EINVALID, quietus_new_key_file(NULL));
  return NULL;
}

void test_threads(Fixture* f) {
  for (int i = 0; i < kRounds; ++i) round_of_closing(f);
  quietus_vault vault = NULL;
  EXPECT(QUIETUS_ENOTFOUND, quietus_open(f->folder, &f->unlock, NULL, &vault));
  pthread_t thread;
  EXPECT_TRUE(pthread_create(&thread, NULL, fails, NULL) == 0);
  pthread_join(thread, NULL);
  EXPECT_TRUE(quietus_last_error_code() == QUIETUS_ENOTFOUND);
}
