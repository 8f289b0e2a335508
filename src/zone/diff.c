/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The difference of two versions. Both trees are gone through together, each as a stack of what is
 * still to come: owners, and nodes not opened yet. Where both stacks show the same node, it and all
 * below it are the same and skipped unread. A node is opened only when the other side has something
 * at its first owner that is not this very node: whichever side shows the earlier owner goes on,
 * and at the same owner the higher node is opened. So a node that both share is never opened in
 * one of them before it comes up in the other, and two versions of one line cost what differs,
 * times the depth.
 */
#include "zone/delta_impl.h"

enum { PENDING_MAX = TREE_DEPTH_MAX * (INNER_MAX + 1), LEVEL_OWNER = -1 };

struct pending {
    const void *object;
    int level; /* LEVEL_OWNER: an owner */
};

struct pending_stack {
    struct pending items[PENDING_MAX];
    unsigned count;
};

static void must_put(struct delta *delta, bool removes, const struct record *record)
{
    struct error err = {0};
    enum result put = removes ? delta_remove(delta, record, &err) : delta_add(delta, record, &err);
    REQUIRE(put == OK);
}

static void put_all(struct delta *delta, const struct owner *owner, bool removes)
{
    struct owner_walk walk = {0};
    struct record record;
    while (owner != NULL && owner_next_record(owner, &walk, &record)) {
        must_put(delta, removes, &record);
    }
}

void delta_put_owners(struct delta *delta, const struct owner *before, const struct owner *after)
{
    if (before == NULL || after == NULL || before->name_size != after->name_size ||
        memcmp(owner_name(before), owner_name(after), before->name_size) != 0) {
        put_all(delta, before, true);
        put_all(delta, after, false);
        return;
    }
    struct owner_walk walks[2] = {{0}, {0}};
    struct record old;
    struct record new;
    bool has_old = owner_next_record(before, &walks[0], &old);
    bool has_new = owner_next_record(after, &walks[1], &new);
    while (has_old || has_new) {
        int order = !has_old   ? 1
                    : !has_new ? -1
                               : record_order(old.type, old.rdata, new.type, new.rdata);
        bool same = order == 0 &&
                    old.ttl == new.ttl &&old.type != TYPE_SOA &&slice_equal(old.rdata, new.rdata);
        if (order <= 0) {
            if (!same) {
                must_put(delta, true, &old);
            }
            has_old = owner_next_record(before, &walks[0], &old);
        }
        if (order >= 0) {
            if (!same) {
                must_put(delta, false, &new);
            }
            has_new = owner_next_record(after, &walks[1], &new);
        }
    }
}

static void push(struct pending_stack *stack, const void *object, int level)
{
    REQUIRE(stack->count < PENDING_MAX);
    stack->items[stack->count++] = (struct pending){object, level};
}

static struct pending *top(struct pending_stack *stack)
{
    return stack->count == 0 ? NULL : &stack->items[stack->count - 1];
}

static const struct owner *first_owner(const struct pending *pending)
{
    return pending->level == LEVEL_OWNER
               ? pending->object
               : node_firsts((const struct tree_node *)pending->object)[0];
}

/* The node on top gives way to its entries. */
static void open_top(struct pending_stack *stack)
{
    const struct tree_node *node = stack->items[--stack->count].object;
    for (unsigned i = node->count; i > 0; i--) {
        if (node->level == 0) {
            push(stack, node_owners(node)[i - 1], LEVEL_OWNER);
        } else {
            push(stack, node_children(node)[i - 1], node->level - 1);
        }
    }
}

/* What is on top of one stack only. */
static void take_alone(struct delta *delta, struct pending_stack *stack, bool removes)
{
    if (top(stack)->level != LEVEL_OWNER) {
        open_top(stack);
    } else {
        put_all(delta, top(stack)->object, removes);
        stack->count--;
    }
}

static void diff_trees(struct delta *delta, const struct tree_node *a, const struct tree_node *b)
{
    struct pending_stack old = {.count = 0};
    struct pending_stack new = {.count = 0};
    if (a != NULL) {
        push(&old, a, a->level);
    }
    if (b != NULL) {
        push(&new, b, b->level);
    }
    while (old.count > 0 || new.count > 0) {
        struct pending *x = top(&old);
        struct pending *y = top(&new);
        if (x == NULL || y == NULL) {
            take_alone(delta, x != NULL ? &old : &new, x != NULL);
            continue;
        }
        if (x->object == y->object) {
            old.count--;
            new.count--;
            continue;
        }
        const struct owner *first_x = first_owner(x);
        const struct owner *first_y = first_owner(y);
        int order = first_x == first_y ? 0 : name_compare(owner_name(first_x), owner_name(first_y));
        if (order != 0) {
            take_alone(delta, order < 0 ? &old : &new, order < 0);
        } else if (x->level == LEVEL_OWNER && y->level == LEVEL_OWNER) {
            if (!owner_same(first_x, first_y)) {
                delta_put_owners(delta, first_x, first_y);
            }
            old.count--;
            new.count--;
        } else {
            int level_x = x->level;
            int level_y = y->level;
            if (level_x >= level_y) {
                open_top(&old);
            }
            if (level_y >= level_x) {
                open_top(&new);
            }
        }
    }
}

struct delta *delta_diff(const struct zone_version *a, const struct zone_version *b)
{
    REQUIRE(a->class == b->class && name_equal(zone_version_name(a), zone_version_name(b)));
    struct delta *delta = delta_new(zone_version_name(a), a->class);
    for (unsigned side = 0; side < TREES; side++) {
        diff_trees(delta, a->trees[side], b->trees[side]);
    }
    if (a->apex == b->apex || owner_same(a->apex, b->apex)) {
        delta_put_owners(delta, a->apex, b->apex);
    }
    struct error err = {0};
    REQUIRE(delta_seal(delta, &err) == OK);
    return delta;
}
