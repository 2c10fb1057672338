// The kernels bound with pybind11, in its own idiom.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>

extern "C" {
#include "countdown.h"
}

namespace py = pybind11;

static std::int64_t countdown(std::int64_t n)
{
    gl_countdown(n);
    return std::max<std::int64_t>(n, 0);
}

static std::int64_t countdown_mixed(std::int64_t n, double released, std::int64_t chunk)
{
    for (std::int64_t left = n; left > 0; left -= std::min(left, chunk)) {
        const std::int64_t turn = std::min(left, chunk);
        const std::int64_t held = static_cast<std::int64_t>(turn * (1.0 - released) + 0.5);
        gl_countdown(held);
        py::gil_scoped_release release;
        gl_countdown(turn - held);
    }
    return std::max<std::int64_t>(n, 0);
}

static std::int64_t count_line(char *counts, py::ssize_t length, py::ssize_t stride)
{
    std::ptrdiff_t index = 0;
    py::gil_scoped_release release;
    return gl_countdown_array(counts, length, stride, &index, INT64_MAX);
}

static std::int64_t countdown_array(py::buffer counts)
{
    const py::buffer_info info = counts.request(true);
    if (info.ndim != 1 || !info.item_type_is_equivalent_to<std::int64_t>())
        throw py::type_error("counts is a one-dimensional buffer of signed 64-bit integers");
    return count_line(static_cast<char *>(info.ptr), info.shape[0], info.strides[0]);
}

static std::int64_t countdown_numpy(py::array_t<std::int64_t, 0> counts)
{
    if (counts.ndim() != 1)
        throw py::type_error("counts has one dimension");
    return count_line(reinterpret_cast<char *>(counts.mutable_data()), counts.shape(0),
                      counts.strides(0));
}

PYBIND11_MODULE(by_pybind11, module, py::mod_gil_not_used())
{
    module.def("countdown_held", &countdown);
    module.def("countdown_nogil", &countdown, py::call_guard<py::gil_scoped_release>());
    module.def("countdown_mixed", &countdown_mixed, py::arg("n"), py::arg("released") = 0.5,
               py::arg("chunk") = 1000000);
    module.def("countdown_array", &countdown_array);
    module.def("countdown_numpy", &countdown_numpy, py::arg().noconvert());
}
