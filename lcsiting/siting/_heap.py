"""The kernels of the ranking: evaluate an item, take an item, run one block on a lazy heap."""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)
import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def evaluate(indptr, indices, left, first, last, gains):
    """Sum of ``left`` over the rows of items ``first`` to ``last - 1``, into ``gains``."""
    for i in range(first, last):
        total = np.int64(0)
        for t in range(indptr[i], indptr[i + 1]):
            total += left[indices[t]]
        gains[i] = total


@njit(cache=True, nogil=True)
def rows_left(weights, serving, in_block, left):
    """Weight still to be had in each row: of the block, and served by nobody."""
    n_cells = in_block.shape[0]
    for start in range(0, weights.shape[0], n_cells):
        for cell in range(n_cells):
            j = start + cell
            left[j] = weights[j] if in_block[cell] and serving[j] == 0 else 0


@njit(cache=True, nogil=True)
def shared_load(load, serving, left):
    """What one more station would carry of each row if its load were split evenly."""
    for j in range(load.shape[0]):
        left[j] = load[j] // (serving[j] + 1)


@njit(cache=True, nogil=True)
def covered_measures(serving, in_block, measures, done):
    """Sum of each cell measure over the served rows of the block, by row class, into ``done``."""
    n_cells = in_block.shape[0]
    for c in range(done.shape[1]):
        for cell in range(n_cells):
            if in_block[cell] and serving[c * n_cells + cell] > 0:
                for k in range(done.shape[0]):
                    done[k, c] += measures[k, cell]


@njit(cache=True, nogil=True)
def _before(key, item, other_key, other_item):
    return key > other_key or (key == other_key and item < other_item)


@njit(cache=True, nogil=True)
def _sift_down(keys, items, place, size):
    key, item = keys[place], items[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _before(keys[child + 1], items[child + 1], keys[child], items[child]):
            child += 1
        if not _before(keys[child], items[child], key, item):
            break
        keys[place], items[place] = keys[child], items[child]
        place = child
    keys[place], items[place] = key, item


@njit(cache=True, nogil=True)
def _push(keys, items, size, key, item):
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if not _before(key, item, keys[parent], items[parent]):
            break
        keys[place], items[place] = keys[parent], items[parent]
        place = parent
    keys[place], items[place] = key, item
    return size + 1


@njit(cache=True, nogil=True)
def _pop(keys, items, size):
    size -= 1
    keys[0], items[0] = keys[size], items[size]
    if size > 0:
        _sift_down(keys, items, 0, size)
    return size


@njit(cache=True, nogil=True)
def _grade_reached(done, needs):
    asked = False
    for k in range(needs.shape[0]):
        for c in range(needs.shape[1]):
            if needs[k, c] > 0:
                asked = True
                if done[k, c] < needs[k, c]:
                    return False
    return asked


@njit(cache=True, nogil=True)
def take(i, indptr, indices, weights, serving, left, load, relief, in_block, measures, done):
    """Put item ``i`` into service; return the weight it newly covers over all rows."""
    n_cells = in_block.shape[0]
    gain = np.int64(0)
    for t in range(indptr[i], indptr[i + 1]):
        j = indices[t]
        serving[j] += 1
        if serving[j] == 1:
            gain += weights[j]
            c, cell = j // n_cells, j % n_cells
            if in_block[cell]:
                for k in range(done.shape[0]):
                    done[k, c] += measures[k, cell]
        left[j] = load[j] // (serving[j] + 1) if relief else 0
    return gain


@njit(cache=True, nogil=True)
def _spend(i, res_ptr, res_idx, res_load, res_left):
    """Take what item ``i`` needs of the resources; False, and nothing taken, where one does not suffice."""
    fits = True
    for t in range(res_ptr[i], res_ptr[i + 1]):
        res_left[res_idx[t]] -= res_load[t]
        fits = fits and res_left[res_idx[t]] >= 0.0
    if not fits:
        for t in range(res_ptr[i], res_ptr[i + 1]):
            res_left[res_idx[t]] += res_load[t]
    return fits


@njit(cache=True, nogil=True)
def run_block(
    indptr, indices, weights, serving, taken, opened, mate_ptr, mates, place_of, place_ptr, place_items,
    left, load, relief, gains, bonus, sibling_bonus, units, per, cost, cost_opened, in_block, measures, done, needs,
    stop_gain, max_units, enough, res_ptr, res_idx, res_load, res_opened, res_left, order, block_gain, objective, gain,
):  # fmt: skip
    """Choose items until the grade is reached, enough is covered, nothing gains ``stop_gain``, or the units are used.

    An item that needs more of a resource than is left is out for the block: what is left only shrinks.

    The next item is the one with the largest ``(gain + bonus) * per // cost``.

    ``gains`` holds exact gains on entry and upper bounds afterwards; ``bonus`` is raised and ``cost`` lowered
    in place for siblings of opened places; ``order``, ``block_gain``, ``objective``, ``gain`` are filled.

    Returns
    -------
    picked, used : int
        Items chosen and their units.
    """
    n = taken.shape[0]
    keys, items = np.empty(2 * n + 1, np.int64), np.empty(2 * n + 1, np.int32)
    exact_at = np.zeros(n, np.int32)
    size, picked, used, got = 0, 0, np.int64(0), np.int64(0)
    for i in range(n):
        if taken[i] == 0 and gains[i] >= stop_gain:
            keys[size], items[size] = (gains[i] + bonus[i]) * per // cost[i], i
            size += 1
    for place in range(size // 2 - 1, -1, -1):
        _sift_down(keys, items, place, size)
    while size > 0 and used < max_units and got < enough and not _grade_reached(done, needs):
        key, i = keys[0], items[0]
        if (
            taken[i] or gains[i] < stop_gain or key != (gains[i] + bonus[i]) * per // cost[i]
        ):  # left behind by a re-push
            size = _pop(keys, items, size)
            continue
        if exact_at[i] != picked:
            evaluate(indptr, indices, left, i, i + 1, gains)
            exact_at[i] = picked
            if gains[i] < stop_gain:  # gains only shrink: out for this block
                size = _pop(keys, items, size)
            else:
                keys[0] = (gains[i] + bonus[i]) * per // cost[i]
                _sift_down(keys, items, 0, size)
            continue
        size = _pop(keys, items, size)
        if not _spend(i, res_ptr, res_idx, res_load, res_left):
            gains[i] = -1  # also for the entry a raised sibling left behind
            continue
        taken[i] = 1
        for t in range(mate_ptr[i], mate_ptr[i + 1]):
            taken[mates[t]] = 2  # blocks.GONE
        order[picked], block_gain[picked], objective[picked] = i, gains[i], key
        gain[picked] = take(i, indptr, indices, weights, serving, left, load, relief, in_block, measures, done)
        picked += 1
        used += units[i]
        got += gains[i]
        p = place_of[i]
        if opened[p] == 0:
            opened[p] = 1
            for t in range(place_ptr[p], place_ptr[p + 1]):
                s = place_items[t]
                for q in range(res_ptr[s], res_ptr[s + 1]):
                    res_load[q] = res_opened[q]
                if taken[s] == 0 and (sibling_bonus[s] > 0 or cost_opened[s] < cost[s]):
                    bonus[s] += sibling_bonus[s]
                    cost[s] = cost_opened[s]
                    if gains[s] >= stop_gain:
                        size = _push(keys, items, size, (gains[s] + bonus[s]) * per // cost[s], s)
    return picked, used


@njit(cache=True, nogil=True)
def replay(indptr, indices, order, weights, measures, gain, sums):
    """Walk through an order again and write down what each item newly covers.

    ``gain[r]`` is the weight over all rows, ``sums[r, service, k]`` each cell measure over the newly
    covered rows of a service; a row's service is its class modulo the number of services.
    """
    n_cells, services = measures.shape[1], sums.shape[1]
    covered = np.zeros(weights.shape[0], np.uint8)
    for r in range(order.shape[0]):
        for t in range(indptr[order[r]], indptr[order[r] + 1]):
            j = indices[t]
            if covered[j] == 0:
                covered[j] = 1
                gain[r] += weights[j]
                for k in range(measures.shape[0]):
                    sums[r, (j // n_cells) % services, k] += measures[k, j % n_cells]
