"""Arithmetic of one raster row and one station, in float32 and free of library calls.

The compiler turns these loops into vector instructions because log2, exp2 and arc tangent
are polynomials and every buffer has a stride known when compiling. Errors against float64:
log2 4e-6, exp2 1e-5 (short form 1e-4) relative, angles 1e-4 degrees; RSRP stays within 0.001 dB.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import float32, int32, int64, njit, types, uintp
from numba.extending import intrinsic
from numpy.typing import NDArray

from lcsiting.radio import pathloss

# What Sectors.terrain says of a station. Here, so that the sectors load without the terrain engine.
FORMULA, P1812, LOS = 0, 1, 2

F = np.float32
WIDTH = 128  # longest row piece; buffers are laid out in steps of it
TABLE = 3 * 361  # pairs of one packed pattern
PAD = 32  # rows are computed in steps of it: the pixels left over from full vectors cost as much as many vectors
GROUP = 3  # sectors with pattern tables computed side by side
NEG = F(-400.0)  # "no signal", dBm: below anything real, above overflow
FAR = F(1000.0)  # loss beyond the reach, dB
DB = F(10 * math.log10(2.0))  # log2 to dB
INV_DB = F(1 / (10 * math.log10(2.0)))
PARAMETERS = 15  # columns of station_parameters()


class Windows(NamedTuple):
    """Rasters of stations whose loss no formula of the distance gives (terrain models), one after the other.

    ``index`` int64 (n_stations, 4): begin in the flat arrays (-1: the station has none), first row and column in
    the frame, width. ``loss_db`` and ``depression_deg`` float32, flat.
    """

    index: NDArray[np.int64]
    loss_db: NDArray[np.float32]
    depression_deg: NDArray[np.float32]


def no_windows(stations: int) -> Windows:
    """For stations whose loss is a formula."""
    return Windows(np.full((stations, 4), -1, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))


# Least-squares polynomials on Chebyshev nodes (close to minimax), fitted once and written down, so that
# every machine computes with the same digits: log2(1 + t) and 2**t on [0, 1], arc tangent in degrees on [0, 1].
L1, L2, L3, L4, L5, L6, L7, L8 = (
    F(1.4426892),
    F(-0.7211475),
    F(0.47852993),
    F(-0.346684),
    F(0.2405326),
    F(-0.13593528),
    F(0.05107809),
    F(-0.009063069),
)
E0, E1, E2, E3, E4, E5 = (F(0.9999999), F(0.69315463), F(0.24014077), F(0.055863284), F(0.008946215), F(0.0018951073))
S0, S1, S2, S3 = (F(0.9998967), F(0.69639057), F(0.22451635), F(0.0790857))
T1, T3, T5, T7, T9, T11 = (F(57.294624), F(-19.059755), F(11.096492), F(-6.6836166), F(3.026563), F(-0.6744))


@intrinsic
def _bits(typingctx, x):
    """The bit pattern of a float32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), codegen


@intrinsic
def _from_bits(typingctx, x):
    """The float32 with a bit pattern."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@njit(inline="always")
def log2(x):
    """Binary logarithm of a positive float32."""
    i = _bits(float32(x))
    exponent = float32(int32((i >> int32(23)) - int32(127)))
    t = _from_bits(int32((i & int32(0x7FFFFF)) | int32(0x3F800000))) - F(1)
    return exponent + t * (L1 + t * (L2 + t * (L3 + t * (L4 + t * (L5 + t * (L6 + t * (L7 + t * L8)))))))


@njit(inline="always")
def exp2(x):
    """2**x, at least 2**-120."""
    x = max(x, F(-120)) + F(128)
    k = int32(x)
    f = x - float32(k)
    p = E0 + f * (E1 + f * (E2 + f * (E3 + f * (E4 + f * E5))))
    return p * _from_bits(int32(int32(k - int32(1)) << int32(23)))


@njit(inline="always")
def exp2_short(x):
    """2**x to 1e-4: enough for a sum of interferers (4e-4 dB)."""
    x = max(x, F(-120)) + F(128)
    k = int32(x)
    f = x - float32(k)
    p = S0 + f * (S1 + f * (S2 + f * S3))
    return p * _from_bits(int32(int32(k - int32(1)) << int32(23)))


@njit(inline="always")
def atan2_deg(y, x):
    """Arc tangent of y/x in degrees, -180 to 180."""
    ax = abs(x)
    ay = abs(y)
    a = min(ax, ay) / max(max(ax, ay), F(1e-9))
    s = a * a
    r = a * (T1 + s * (T3 + s * (T5 + s * (T7 + s * (T9 + s * T11)))))
    r = F(90) - r if ay > ax else r
    r = F(180) - r if x < F(0) else r
    return -r if y < F(0) else r


def station_parameters(coefficients: np.ndarray, height_above_ue_m: np.ndarray, reach_m: np.ndarray) -> np.ndarray:
    """Coefficient rows (``radio.pathloss.COLUMNS``) in the form :func:`station_row` reads.

    Slopes are per log2(d3D^2) instead of per decade; the break point, reach and nearest distance
    are squared; P_LOS is ``u + 2**(d rate + shift) (1 - u)``.

    Returns
    -------
    ndarray of float32, (n_stations, 15)
    """
    c = np.asarray(coefficients, dtype=np.float64)
    per_log2 = 0.5 * math.log10(2.0)
    rate = -math.log2(math.e) / c[:, pathloss.K]
    out = np.zeros((len(c), PARAMETERS))
    out[:, 0], out[:, 1], out[:, 2] = c[:, pathloss.A1], c[:, pathloss.B1] * per_log2, c[:, pathloss.C1]
    out[:, 3] = np.minimum(c[:, pathloss.BP], 1e9) ** 2
    out[:, 4], out[:, 5] = c[:, pathloss.A2], c[:, pathloss.B2] * per_log2
    out[:, 6], out[:, 7] = c[:, pathloss.A3], c[:, pathloss.B3] * per_log2
    out[:, 8] = 18.0 * c[:, pathloss.U]
    out[:, 9], out[:, 10] = rate, -rate * c[:, pathloss.D0]
    out[:, 11], out[:, 12] = c[:, pathloss.DH] ** 2, c[:, pathloss.NEAR] ** 2
    out[:, 13] = np.asarray(reach_m, dtype=np.float64) ** 2
    out[:, 14] = height_above_ue_m
    return out.astype(np.float32)


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def station_row(x_m, n, cx, dy, p, work):
    """Loss, azimuth and depression angle of n pixels as seen from one station.

    Parameters
    ----------
    x_m : float32 (>= n,)
        Pixel centres, relative to the tile.
    n : int
        Pixels, at most WIDTH.
    cx, dy : float32
        The station's x relative to the tile; the row's y minus the station's.
    p : float32 (PARAMETERS,)
        Row of :func:`station_parameters`.
    work : float32 (3 WIDTH,)
        Out: loss in dB (FAR beyond the reach), azimuth clockwise from north, depression in degrees.
    """
    a1, b1, c1, bp2, a2, b2, a3, b3 = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
    u18, rate, shift, dh2, near2, reach2, dh = p[8], p[9], p[10], p[11], p[12], p[13], p[14]
    dy2 = dy * dy
    for j in range(n):
        dx = x_m[j] - cx
        d2 = dx * dx + dy2
        dn2 = max(d2, near2)
        d = math.sqrt(dn2)
        s2 = dn2 + dh2
        lg = log2(s2)
        near = a1 + b1 * lg + c1 * math.sqrt(s2)
        los = near if dn2 <= bp2 else a2 + b2 * lg
        nlos = max(a3 + b3 * lg, los)
        u = u18 / max(d, F(18))
        chance = u + exp2(d * rate + shift) * (F(1) - u)
        loss = nlos + chance * (los - nlos)
        work[j] = loss if d2 <= reach2 else FAR
        work[j + WIDTH] = atan2_deg(dx, dy)
        work[j + 2 * WIDTH] = atan2_deg(dh, d)


@njit(inline="always")
def sector_level(work, j, a):
    """Level of one sector at pixel j, dBm (TR 38.901 Table 7.3-1 element, horizontal and vertical cut).

    ``a``: azimuth, tilt, eirp, sqrt(12)/horizontal and sqrt(12)/vertical width, A_max, SLA_V.
    """
    turn = abs(work[j + WIDTH] - a[0])
    turn = min(turn, F(360) - turn) * a[3]
    drop = (work[j + 2 * WIDTH] - a[1]) * a[4]
    return a[2] - min(min(turn * turn, a[5]) + min(drop * drop, a[6]), a[5]) - work[j]


@njit(nogil=True, cache=True)
def window_row(work, at, n, row, col, info, loss, depression):
    """Overwrite n pixels of ``work`` from ``at`` on with a station's own raster (``Windows``) from (row, col) on.

    ``info``: where it begins in the flat arrays, its first row and column, its width.
    """
    start = info[0] + (row - info[1]) * info[3] + (col - info[2])
    for j in range(n):
        work[at + j] = loss[start + j]
        work[at + j + 2 * WIDTH] = depression[start + j]


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def exclude_row(work, n, wedges, begin, end):
    """Weaken n pixels of ``work`` where one of the wedges ``begin`` to ``end`` lies; of several the deepest counts.

    ``wedges``: azimuth in the grid, half width, reduction of each (``pairs.grid_exclusions``). All sectors of a station
    lose alike, whatever their patterns, so it is added to the loss they share.
    """
    for j in range(n):
        deepest = F(0)
        for k in range(begin, end):
            turn = abs(work[j + WIDTH] - wedges[k, 0])
            inside = min(turn, F(360) - turn) <= wedges[k, 1]
            deepest = max(deepest, wedges[k, 2]) if inside else deepest
        work[j] += deepest


@njit(inline="always")
def padded(n):
    """Pixels to compute for n wanted, at most WIDTH."""
    return min((n + PAD - 1) // PAD * PAD, WIDTH)


def packed_patterns(tables: np.ndarray) -> np.ndarray:
    """Pattern tables (``inputs.antenna_files.kernel_table``) as :func:`pattern_levels` fetches them.

    Returns
    -------
    ndarray of int64, (n_patterns * TABLE,)
        Each degree's value (low half) and the step to the next degree's (high half), the bits of two float32: one
        load fetches both. The last entry is that of ``tables[:, :, 360]`` without a step; of row 0 the last is the
        peak's azimuth.
    """
    value = np.asarray(tables, dtype=np.float32)
    step = np.diff(value, axis=2)
    value = value[:, :, :361].copy()
    value[:, 0, 360], step[:, :, 360] = np.asarray(tables)[:, 0, 361], 0.0
    low = np.ascontiguousarray(value).view(np.uint32).astype(np.int64)
    return (low | (np.ascontiguousarray(step).view(np.int32).astype(np.int64) << 32)).ravel()


@njit(inline="always")
def _value(pair):
    return _from_bits(int32(pair))


@njit(inline="always")
def _step(pair):
    return _from_bits(int32(pair >> int64(32)))


@njit(inline="always")
def _turn(azimuth, own):
    """Azimuth from the sector's own, 0 to 360."""
    turn = azimuth - own
    return turn + F(360) if turn < F(0) else turn


@njit(inline="always")
def _down(depression, tilt):
    """Depression below the tilted beam, counted from -90 degrees on."""
    return min(max(depression - tilt, F(-90)), F(90)) + F(90)


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _fetch(table, base, index, begin, n, pair, to):
    """The only loop without vector instructions; alone, because it would take them from its neighbours."""
    for j in range(n):
        pair[uintp(to + j)] = table[uintp(base + index[uintp(begin + j)])]


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _turn_index(work, n, own, index, to):
    for j in range(n):
        index[uintp(to + j)] = min(int32(_turn(work[j + WIDTH], own)), int32(359))


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _down_index(work, n, tilt, index, to):
    for j in range(n):
        index[uintp(to + j)] = min(int32(_down(work[j + 2 * WIDTH], tilt)), int32(179))


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _vertical(work, n, tilt, pair, begin, cut, to):
    """Front vertical term, and what it changes by per degree of azimuth from the peak on the way to the back."""
    for j in range(n):
        front, back = pair[uintp(begin + j)], pair[uintp(begin + GROUP * WIDTH + j)]
        down = _down(work[j + 2 * WIDTH], tilt)
        rest = down - float32(min(int32(down), int32(179)))
        ahead, behind = _value(front) + rest * _step(front), _value(back) + rest * _step(back)
        cut[uintp(to + j)], cut[uintp(to + GROUP * WIDTH + j)] = ahead, (behind - ahead) * F(1 / 180)


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _level(work, n, own, eirp, peak, pair, at, cut, begin, level):
    for j in range(n):
        turn = _turn(work[j + WIDTH], own)
        rest = turn - float32(min(int32(turn), int32(359)))
        away = abs(turn - peak)
        away = abs(min(away, F(360) - away))
        across = _value(pair[uintp(at + j)]) + rest * _step(pair[uintp(at + j)])
        weaker = across + cut[uintp(begin + j)] + away * cut[uintp(begin + GROUP * WIDTH + j)]
        level[uintp(at + j)] = eirp - max(weaker, F(0)) - work[j]


@njit(inline="always")
def group_end(antennas, begin, end):
    """Where the group of sectors with tables that begins at ``begin`` ends."""
    stop = begin + 1
    while stop < min(end, begin + GROUP) and antennas[stop, 7] >= F(0):
        stop += 1
    return stop


@njit(inline="always")
def _own_cut(antennas, begin, m):
    """Whether sector m cannot take the vertical cut of the one before."""
    return m == begin or antennas[m, 1] != antennas[m - 1, 1] or antennas[m, 7] != antennas[m - 1, 7]


@njit(nogil=True, cache=True)
def pattern_buffers():
    """What :func:`pattern_levels` works in, one set per thread: indices, pairs, vertical cuts, levels."""
    size = GROUP * WIDTH
    return (
        np.zeros(2 * size, np.int32), np.zeros(3 * size, np.int64),
        np.zeros(2 * size, np.float32), np.zeros(size, np.float32),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def pattern_levels(work, n, antennas, begin, end, patterns, index, pair, cuts, levels):
    """Levels at n pixels of the sectors ``begin`` to ``end`` (at most GROUP), which all have pattern tables.

    Step by step over all of them, so that what one step writes in small pieces has arrived when the next reads it in
    large ones. The vertical cut is computed once for neighbours of one pattern and tilt (it shifts with the tilt, alike
    in every azimuth).

    Parameters
    ----------
    work : float32
        What :func:`station_row` left.
    antennas : float32 (n_sectors, 8)
        ``pairs.sector_parameters``.
    patterns : int64
        :func:`packed_patterns`.
    index, pair, cuts, levels : ndarray
        :func:`pattern_buffers`, one by one (taking a tuple apart costs as much as a sector). Out: ``levels``, in runs
        of WIDTH.
    """
    third = GROUP * WIDTH
    for m in range(begin, end):
        run = (m - begin) * WIDTH
        _turn_index(work, n, antennas[m, 0], index, run)
        if _own_cut(antennas, begin, m):
            _down_index(work, n, antennas[m, 1], index, third + run)
    for m in range(begin, end):
        run, table = (m - begin) * WIDTH, int(antennas[m, 7]) * TABLE
        _fetch(patterns, table, index, run, n, pair, run)
        if _own_cut(antennas, begin, m):
            _fetch(patterns, table + TABLE // 3, index, third + run, n, pair, third + run)
            _fetch(patterns, table + 2 * TABLE // 3, index, third + run, n, pair, 2 * third + run)
    cut = 0
    for m in range(begin, end):
        run, peak = (m - begin) * WIDTH, _value(patterns[int(antennas[m, 7]) * TABLE + 360])
        if _own_cut(antennas, begin, m):
            cut = run
            _vertical(work, n, antennas[m, 1], pair, third + run, cuts, run)
        _level(work, n, antennas[m, 0], antennas[m, 2], peak, pair, run, cuts, cut, levels)
