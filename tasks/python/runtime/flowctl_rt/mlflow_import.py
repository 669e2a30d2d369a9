def change(module):
    pass
