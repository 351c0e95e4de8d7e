"""Signals of every kind that HyperSpy makes, by name.

Each entry makes a new signal. The names can be read without HyperSpy; making a signal imports it.
"""

from __future__ import annotations

import math
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

Make: TypeAlias = "Callable[[], Any]"


def api() -> Any:
    """HyperSpy, which has no types."""
    return import_module("hyperspy.api")


def counting(*shape: int, dtype: str = "<f8") -> NDArray[Any]:
    """Return an array of the given shape that counts from zero."""
    return np.arange(math.prod(shape), dtype=dtype).reshape(shape)


def noise(*shape: int) -> NDArray[Any]:
    """Return an array of positive noise, the same each time."""
    return np.random.default_rng(7).random(shape) + 0.5


def ragged(*items: object, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return an object array of the items."""
    array = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        array[number] = item
    return array if shape is None else array.reshape(shape)


# --------------------------------------------------------------------------------------------------
# Classes and shapes


def signal(kind: str, *shape: int, dtype: str = "<f4") -> Any:
    """Make a signal of a class of HyperSpy."""
    return getattr(api().signals, kind)(counting(*shape, dtype=dtype))


def lazy(kind: str, *shape: int, chunks: tuple[int, ...] | None = None) -> Any:
    """Make a lazy signal, of the given block lengths."""
    made = signal(kind, *shape).as_lazy()
    if chunks is not None:
        made.data = made.data.rechunk(chunks)
    return made


def base_signal(*shape: int, signal_dimensions: int) -> Any:
    """Make a signal of the base class with its last dimensions as signal dimensions."""
    made = api().signals.BaseSignal(counting(*shape))
    return made.transpose(signal_axes=signal_dimensions)


def transposed() -> Any:
    """Make a signal whose signal axis is the first of the array."""
    return api().signals.BaseSignal(
        counting(2, 3, 4),
        axes=[
            {"size": 2, "name": "s", "navigate": False},
            {"size": 3, "name": "n", "navigate": True},
            {"size": 4, "name": "t", "navigate": False},
        ],
    )


def dtype_of(dtype: str) -> Any:
    """Make a signal of a data type, with one navigation dimension."""
    return api().signals.Signal1D(counting(2, 3).astype(dtype))


def with_nonfinite() -> Any:
    """Make a signal that holds NaN and infinities."""
    return api().signals.Signal1D(np.array([[np.nan, np.inf], [-np.inf, -0.0]]))


def rgb(depth: int, channels: str) -> Any:
    """Make an image of colours."""
    data = counting(3, 4, len(channels), dtype=f"u{depth // 8}")
    made = api().signals.Signal1D(data)
    made.change_dtype(f"{channels}{depth}")
    return made


def fortran() -> Any:
    """Make a signal of an array in the order of Fortran."""
    return api().signals.Signal2D(np.asfortranarray(counting(2, 3, 4)))


# --------------------------------------------------------------------------------------------------
# Axes


def with_axes(*axes: Mapping[str, object], shape: tuple[int, ...] = (3, 4)) -> Any:
    """Make a signal with the given axes."""
    return api().signals.Signal1D(counting(*shape), axes=[dict(axis) for axis in axes])


NAVIGATION: Final = {"_type": "UniformDataAxis", "size": 3, "name": "y", "navigate": True}
UNIFORM: Final = {
    "_type": "UniformDataAxis",
    "size": 4,
    "name": "Energy",
    "units": "eV",
    "scale": 0.25,
    "offset": -10.5,
    "navigate": False,
}
IRREGULAR: Final = {
    "_type": "DataAxis",
    "axis": [0.0, 1.0, 4.0, 9.5],
    "name": "Wavelength",
    "units": "nm",
    "navigate": False,
}
FUNCTIONAL: Final = {
    "_type": "FunctionalDataAxis",
    "expression": "a * x + b",
    "a": 2.5,
    "b": 100,
    "x": {"_type": "UniformDataAxis", "size": 4, "scale": 0.5},
    "name": "ω",
    "units": "1/Å",
    "navigate": False,
}


def integer_axis() -> Any:
    """Make a signal with a vector of integers as axis."""
    vector = np.array([1, 3, 7, 20], dtype="<i4")
    return with_axes(NAVIGATION, {"_type": "DataAxis", "axis": vector, "navigate": False})


def functional_of_irregular() -> Any:
    """Make a signal with an axis that is a function of a vector."""
    x = {"_type": "DataAxis", "axis": [1.0, 2.0, 4.0, 8.0]}
    axis = {"_type": "FunctionalDataAxis", "expression": "1239.84 / x", "x": x, "navigate": False}
    return with_axes(NAVIGATION, axis)


def binned() -> Any:
    """Make a histogram-like signal."""
    made = with_axes(NAVIGATION, UNIFORM)
    made.axes_manager.signal_axes[0].is_binned = True
    return made


def sized_one() -> Any:
    """Make a signal whose axes have one point."""
    return api().signals.Signal2D(counting(1, 1, 1))


# --------------------------------------------------------------------------------------------------
# Titles and metadata


def titled(title: str) -> Any:
    """Make a signal of a title."""
    made = signal("Signal1D", 2, 3)
    made.metadata.General.title = title
    return made


def with_metadata(**entries: object) -> Any:
    """Make a signal with entries under ``Test`` in its metadata."""
    made = signal("Signal1D", 2, 3)
    for key, entry in entries.items():
        made.metadata.set_item(f"Test.{key}", entry)
    return made


def described() -> Any:
    """Make a signal with the metadata that measurements have."""
    made = signal("Signal1D", 2, 3)
    made.metadata.General.title = "A measurement"
    made.metadata.General.date = "2026-11-23"
    made.metadata.General.time = "12:34:56"
    made.metadata.General.time_zone = "CET"
    made.metadata.set_item("Acquisition_instrument.TEM.beam_energy", 200.0)
    made.metadata.set_item("Acquisition_instrument.TEM.Stage.tilt_alpha", -1.5)
    made.metadata.set_item("Sample.elements", ["Fe", "O"])
    made.metadata.set_item("Sample.xray_lines", ["Fe_Ka", "O_Ka"])
    made.original_metadata.add_dictionary(
        {"Header": {"Serial number": 12, "Å": [1.5, 2.5], "empty": {}}, "flags": (True, False)}
    )
    return made


def with_signals() -> Any:
    """Make a signal with signals inside its metadata."""
    hs = api()
    made = with_metadata(
        inner=hs.signals.Signal2D(counting(2, 3)),
        of_base=hs.signals.BaseSignal(counting(2)),
    )
    made.metadata.set_item("Test.nested", with_metadata(inner=signal("Signal1D", 4)))
    return made


def with_signals_in_lists() -> Any:
    """Make a signal with signals inside lists and tuples of its metadata."""
    first, second = signal("Signal1D", 2), signal("Signal2D", 2, 2)
    return with_metadata(list=[first, second, "text"], tuple=(second, 0.5))


def with_navigator() -> Any:
    """Make a signal with a navigator of its own."""
    made = signal("Signal2D", 2, 3, 4, 5)
    made.navigator = api().signals.Signal2D(noise(2, 3))
    return made


def with_noise_variance() -> Any:
    """Make a signal with an estimate of its noise, one for each value."""
    made = api().signals.Signal1D(noise(3, 4))
    made.estimate_poissonian_noise_variance(expected_value=made)
    return made


def with_linear_noise() -> Any:
    """Make a signal with parameters of a noise model."""
    made = api().signals.Signal1D(noise(3, 4))
    made.set_noise_variance(2.5)
    return made


def with_axes_manager() -> Any:
    """Make a signal with the axes of another signal in its metadata."""
    return with_metadata(axes=signal("Signal2D", 2, 3, 4).axes_manager)


def with_axis() -> Any:
    """Make a signal with one axis of another signal in its metadata."""
    return with_metadata(axis=signal("Signal2D", 2, 3, 4).axes_manager[0])


def unfolded() -> Any:
    """Make a signal whose navigation dimensions are unfolded."""
    made = signal("Signal1D", 2, 3, 4)
    made.unfold()
    return made


def unfolded_signal_space() -> Any:
    """Make a signal whose signal dimensions are unfolded."""
    made = signal("Signal2D", 2, 3, 4)
    made.unfold_signal_space()
    return made


# --------------------------------------------------------------------------------------------------
# Ragged signals


def ragged_signal(*items: object, shape: tuple[int, ...] | None = None) -> Any:
    """Make a ragged signal of the items."""
    return api().signals.BaseSignal(ragged(*items, shape=shape), ragged=True)


def ragged_lazy() -> Any:
    """Make a lazy ragged signal."""
    return ragged_signal(*(np.arange(n, dtype="<f4") for n in range(1, 5))).as_lazy()


# --------------------------------------------------------------------------------------------------
# Markers


def marked(*markers: tuple[str, Mapping[str, object]]) -> Any:
    """Make a stack of images with permanent markers."""
    hs = api()
    made = hs.signals.Signal2D(noise(3, 8, 8))
    made.add_marker(
        [getattr(hs.plot.markers, kind)(**arguments) for kind, arguments in markers],
        permanent=True,
        plot_marker=False,
    )
    return made


POINTS: Final = np.array([[1.0, 2.0], [3.0, 4.5], [5.0, 0.5]])
SEGMENTS: Final = np.array([[[0.0, 1.0], [2.0, 3.0]], [[4.0, 4.0], [5.0, 1.0]]])


def each_position(*items: object) -> NDArray[Any]:
    """Return one value for each of three positions."""
    return ragged(*items)


def marked_lines() -> Any:
    """Make a spectrum with lines, which have one coordinate."""
    hs = api()
    made = hs.signals.Signal1D(noise(3, 8))
    markers = [hs.plot.markers.VerticalLines([1.0, 2.5]), hs.plot.markers.HorizontalLines([0.75])]
    made.add_marker(markers, permanent=True, plot_marker=False)
    return made


def marked_navigation() -> Any:
    """Make a stack of images with a marker on its navigator."""
    hs = api()
    made = hs.signals.Signal2D(noise(3, 4, 8, 8))
    marker = hs.plot.markers.Points(POINTS, plot_on_signal=False, name="seen")
    made.add_marker(marker, permanent=True, plot_marker=False)
    return made


def marked_colours() -> Any:
    """Make a stack of images with markers coloured by values."""
    hs = api()
    made = hs.signals.Signal2D(noise(3, 8, 8))
    marker = hs.plot.markers.Points(POINTS, sizes=(4, 8, 2), color=("r", "g", "b"))
    marker.set_ScalarMappable_array([1.0, 2.0, 3.0])
    made.add_marker(marker, permanent=True, plot_marker=False)
    return made


def marked_peaks() -> Any:
    """Make a stack of images with the markers of a ragged signal."""
    hs = api()
    made = hs.signals.Signal2D(noise(3, 8, 8))
    peaks = ragged_signal(POINTS[:1], POINTS, POINTS[:2])
    marker = hs.plot.markers.Points.from_signal(peaks, key="offsets")
    made.add_marker(marker, permanent=True, plot_marker=False)
    return made


# --------------------------------------------------------------------------------------------------
# Models


def modelled(*components: str, fit: bool = False, shape: tuple[int, ...] = (3, 16)) -> Any:
    """Make a signal with a stored model."""
    hs = api()
    made = hs.signals.Signal1D(noise(*shape))
    model = made.create_model()
    for component in components:
        model.append(getattr(hs.model.components1D, component)())
    if fit:
        model.multifit(show_progressbar=False)
    model.store("a model")
    return made


def modelled_in_detail() -> Any:
    """Make a signal with two models, twinned parameters, bounds and switched-off channels."""
    hs = api()
    made = hs.signals.Signal1D(noise(2, 3, 16))
    made.axes_manager[-1].scale = 0.5
    model = made.create_model()
    first = hs.model.components1D.Gaussian(A=2.0, sigma=1.5, centre=4.0)
    second = hs.model.components1D.Lorentzian(A=1.0, gamma=0.5, centre=6.0)
    expression = hs.model.components1D.Expression("a * x + b", "line", a=0.5, b=1.0)
    model.extend([first, second, expression])
    second.centre.twin = first.centre
    second.centre.twin_function_expr = "x + 2"
    first.A.bmin, first.A.bmax = 0.0, 10.0
    expression.active_is_multidimensional = True
    model.set_signal_range(1.0, 6.0)
    model.store("one")
    model.store("two")
    return made


def modelled_image() -> Any:
    """Make an image with a stored model."""
    hs = api()
    made = hs.signals.Signal2D(noise(8, 8))
    model = made.create_model()
    model.append(hs.model.components2D.Gaussian2D(sigma_x=2.0))
    model.store("a")
    return made


def modelled_on_irregular_axis() -> Any:
    """Make a signal with a stored model over an irregular axis."""
    hs = api()
    made = with_axes(NAVIGATION, IRREGULAR)
    model = made.create_model()
    model.append(hs.model.components1D.Offset())
    model.store("offset")
    return made


# --------------------------------------------------------------------------------------------------
# Learning


def decomposed(**arguments: object) -> Any:
    """Make a signal that was decomposed."""
    made = api().signals.Signal1D(noise(4, 5, 8))
    made.decomposition(print_info=False, **arguments)
    return made


def decomposed_and_masked() -> Any:
    """Make a signal that was decomposed under masks."""
    navigation = np.zeros((5, 4), dtype=bool)
    navigation[0, 1] = True
    signal_mask = np.zeros(8, dtype=bool)
    signal_mask[2] = True
    return decomposed(navigation_mask=navigation, signal_mask=signal_mask)


def separated() -> Any:
    """Make a signal whose sources were separated."""
    made = decomposed(output_dimension=3)
    made.blind_source_separation(2, algorithm="orthomax", print_info=False)
    return made


def decomposed_of_variance() -> Any:
    """Make a signal that was decomposed with Poissonian noise, and with its residual kept."""
    return decomposed(normalize_poissonian_noise=True)


DTYPES: Final = {
    **{kind: kind for kind in ("b1", "i1", "u1", "longdouble", "clongdouble")},
    **{
        f"{order}_{kind}": f"{mark}{kind}"
        for order, mark in (("little", "<"), ("big", ">"))
        for kind in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
    },
}
TITLES: Final = {
    "empty": "",
    "plain": "My first signal",
    "unnamed": "__unnamed__",
    "slash": "a/b",
    "slashes": "/a//b/",
    "only_slash": "/",
    "dots_inside": "a..b.c",
    "leading_dot": ".hidden",
    "trailing_space": "ends in space ",
    "unicode": "m²/Å 測定 🔬",
    "percent": "100 % %41 %2F",
    "newline": "two\nlines",
    "data": "data",
    "metadata": "metadata",
    "marks": "_list_2_x",
    "colon_star": 'a:b*c?"<>|',
    "long": "t" * 200,
    "reserved": "CON",
}

SIGNALS: Final[Mapping[str, Make]] = {
    **{
        f"signal1d_nav{n}": partial(signal, "Signal1D", *range(2, 3 + n), dtype="<u2")
        for n in range(5)
    },
    **{
        f"signal2d_nav{n}": partial(signal, "Signal2D", *range(2, 4 + n), dtype="<i4")
        for n in range(5)
    },
    "base_signal_1": partial(signal, "BaseSignal", 5),
    "base_signal_nav0_sig3": partial(base_signal, 2, 3, 4, signal_dimensions=3),
    "base_signal_nav3_sig0": partial(base_signal, 2, 3, 4, signal_dimensions=0),
    "base_signal_nav1_sig3": partial(base_signal, 2, 3, 4, 5, signal_dimensions=3),
    "base_signal_mixed_order": transposed,
    "complex_signal": partial(signal, "ComplexSignal", 2, 3, dtype="<c16"),
    "complex_signal1d": partial(signal, "ComplexSignal1D", 2, 3, dtype="<c8"),
    "complex_signal2d": partial(signal, "ComplexSignal2D", 2, 3, 4, dtype="<c16"),
    "empty": lambda: api().signals.Signal1D([]),
    "sized_one": sized_one,
    "fortran": fortran,
    "lazy_signal1d": partial(lazy, "Signal1D", 2, 3, 4),
    "lazy_signal2d_chunks": partial(lazy, "Signal2D", 4, 6, 4, chunks=(2, 4, 4)),
    "lazy_base_signal": partial(lazy, "BaseSignal", 3, 4),
    "lazy_complex_signal": partial(lazy, "ComplexSignal1D", 3, 4),
    "lazy_ragged": ragged_lazy,
    **{f"dtype_{name}": partial(dtype_of, dtype) for name, dtype in DTYPES.items()},
    "dtype_nonfinite": with_nonfinite,
    "dtype_rgb8": partial(rgb, 8, "rgb"),
    "dtype_rgba8": partial(rgb, 8, "rgba"),
    "dtype_rgb16": partial(rgb, 16, "rgb"),
    "dtype_rgba16": partial(rgb, 16, "rgba"),
    "axes_uniform": partial(with_axes, NAVIGATION, UNIFORM),
    "axes_irregular": partial(with_axes, NAVIGATION, IRREGULAR),
    "axes_irregular_integers": integer_axis,
    "axes_functional": partial(with_axes, NAVIGATION, FUNCTIONAL),
    "axes_functional_of_irregular": functional_of_irregular,
    "axes_irregular_navigation": partial(
        with_axes, {**IRREGULAR, "navigate": True}, UNIFORM, shape=(4, 4)
    ),
    "axes_binned": binned,
    **{f"title_{name}": partial(titled, title) for name, title in TITLES.items()},
    "metadata_of_a_measurement": described,
    "metadata_values": partial(
        with_metadata,
        number=1,
        large=2**70,
        real=0.1,
        nan=float("nan"),
        infinite=float("-inf"),
        text="Å",
        nothing=None,
        flag=True,
        numbers=[1, 2, 3],
        mixed=[1, "a", None, [2.5]],
        texts=["a", "bé", ""],
        pair=(1.5, 2.5),
        empties=([], (), {}),
        array=counting(2, 3),
        dictionary={"a": {"b": {"c": []}}},
    ),
    "metadata_array_ragged": partial(
        with_metadata,
        ragged=ragged(np.arange(2.0), np.arange(6.0).reshape(2, 3)),
        texts=ragged(["a"], ["b", "ccc"]),
    ),
    "metadata_signals": with_signals,
    "metadata_signals_in_lists": with_signals_in_lists,
    "metadata_navigator": with_navigator,
    "metadata_noise_variance": with_noise_variance,
    "metadata_noise_constant": with_linear_noise,
    "metadata_axes_manager": with_axes_manager,
    "metadata_axis": with_axis,
    "metadata_unfolded": unfolded,
    "metadata_unfolded_signal_space": unfolded_signal_space,
    "ragged_integers": partial(ragged_signal, *(np.arange(n) for n in (1, 3, 2))),
    "ragged_floats": partial(ragged_signal, *(np.arange(n, dtype="<f4") for n in (2, 0, 4))),
    "ragged_2d_items": partial(ragged_signal, *(counting(n, 2) for n in (1, 3, 2))),
    "ragged_nav2": partial(ragged_signal, *(counting(n) for n in range(1, 7)), shape=(2, 3)),
    "ragged_bools": partial(ragged_signal, np.array([True]), np.array([False, True])),
    "ragged_complex": partial(ragged_signal, np.array([1j]), np.array([2.5 + 1j, 0j])),
    "ragged_strings": partial(ragged_signal, np.array(["a", "bcd"]), np.array(["eé"])),
    "ragged_lists_of_strings": partial(ragged_signal, ["a", "b"], ["c"]),
    "markers_points": partial(marked, ("Points", {"offsets": POINTS, "sizes": 5.0})),
    "markers_arrows": partial(
        marked, ("Arrows", {"offsets": POINTS, "U": np.ones(3), "V": np.arange(3.0)})
    ),
    "markers_circles": partial(marked, ("Circles", {"offsets": POINTS, "sizes": (1.0, 2.0, 3.0)})),
    "markers_ellipses": partial(
        marked, ("Ellipses", {"offsets": POINTS, "heights": (1.0,), "widths": (2.0,)})
    ),
    "markers_lines": partial(marked, ("Lines", {"segments": SEGMENTS, "color": "red"})),
    "markers_polygons": partial(marked, ("Polygons", {"verts": [POINTS, POINTS[:, ::-1]]})),
    "markers_rectangles": partial(
        marked, ("Rectangles", {"offsets": POINTS, "widths": (1.0,), "heights": (2.0,)})
    ),
    "markers_squares": partial(marked, ("Squares", {"offsets": POINTS, "widths": (1.5,)})),
    "markers_texts": partial(marked, ("Texts", {"offsets": POINTS, "texts": ("a", "b", "c")})),
    "markers_several": partial(
        marked,
        ("Points", {"offsets": POINTS}),
        ("Points", {"offsets": POINTS + 1}),
        ("Texts", {"offsets": POINTS, "texts": ("a",), "name": "labels"}),
    ),
    "markers_vertical_and_horizontal_lines": marked_lines,
    "markers_on_navigator": marked_navigation,
    "markers_with_colours": marked_colours,
    "markers_from_ragged_signal": marked_peaks,
    "markers_ragged_points": partial(
        marked,
        ("Points", {"offsets": each_position(POINTS[:1], POINTS, POINTS[:2]), "sizes": (2.0,)}),
    ),
    "markers_ragged_lines": partial(
        marked, ("Lines", {"segments": each_position(SEGMENTS, SEGMENTS[:1], SEGMENTS)})
    ),
    "markers_ragged_texts": partial(
        marked,
        (
            "Texts",
            {
                "offsets": each_position(POINTS[:1], POINTS[:2], POINTS[:1]),
                "texts": each_position(["a"], ["b", "cc"], ["d"]),
            },
        ),
    ),
    "markers_ragged_rectangles": partial(
        marked,
        (
            "Rectangles",
            {
                "offsets": each_position(POINTS[:1], POINTS[:2], POINTS),
                "widths": each_position([1.0], [1.0, 2.0], [0.5, 0.5, 1.0]),
                "heights": (1.5,),
            },
        ),
    ),
    "model_gaussian": partial(modelled, "Gaussian"),
    "model_fitted": partial(modelled, "Offset", fit=True),
    "model_of_three": partial(modelled, "Gaussian", "PowerLaw", "Polynomial"),
    "model_of_twelve": partial(modelled, *["Gaussian", "Offset"] * 6),
    "model_of_one_spectrum": partial(modelled, "Gaussian", shape=(16,)),
    "model_in_detail": modelled_in_detail,
    "model_2d": modelled_image,
    "model_irregular_axis": modelled_on_irregular_axis,
    "learning_svd": decomposed,
    "learning_svd_dimension": partial(decomposed, output_dimension=3),
    "learning_centred": partial(decomposed, centre="navigation"),
    "learning_mlpca": partial(decomposed, algorithm="MLPCA", output_dimension=2, max_iter=3),
    "learning_masked": decomposed_and_masked,
    "learning_poissonian": decomposed_of_variance,
    "learning_separated": separated,
}
