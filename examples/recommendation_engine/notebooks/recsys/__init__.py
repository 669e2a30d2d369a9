"""The recommendation engine itself: plain Python that knows nothing of jobs.

The notebooks beside this package read parameters, call it, and publish task
values. Here are the parts that one wants to test without a notebook:

    generate   a ratings file that looks like people rated things
    ratings    reading a raw file, checking it, cleaning it
    split      which ratings are held out from training
    baselines  what a model has to beat
    als        the model: matrix factorisation with biases
    store      immutable versions, training runs, deployments: files in folders

Only the standard library is needed. With numpy, training is faster.
"""
