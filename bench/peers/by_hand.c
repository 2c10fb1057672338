/* The kernels written against Python's C API by hand, and no more than they need. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "countdown.h"

static PyObject *countdown_held(PyObject *module, PyObject *arg)
{
    const long long n = PyLong_AsLongLong(arg);
    (void)module;
    if (n == -1 && PyErr_Occurred())
        return NULL;
    gl_countdown(n);
    return PyLong_FromLongLong(n > 0 ? n : 0);
}

static PyObject *countdown_nogil(PyObject *module, PyObject *arg)
{
    const long long n = PyLong_AsLongLong(arg);
    (void)module;
    if (n == -1 && PyErr_Occurred())
        return NULL;
    if (n > 0) {
        Py_BEGIN_ALLOW_THREADS
        gl_countdown(n);
        Py_END_ALLOW_THREADS
    }
    return PyLong_FromLongLong(n > 0 ? n : 0);
}

static PyMethodDef methods[] = {
    {"countdown_held", countdown_held, METH_O, NULL},
    {"countdown_nogil", countdown_nogil, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* or its import turns the GIL on for all of them */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "by_hand", NULL, 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_by_hand(void)
{
    return PyModuleDef_Init(&definition);
}
