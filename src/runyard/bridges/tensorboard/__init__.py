"""TensorBoard's event files, in and out, without TensorFlow and without protobuf.

`framing.py` cuts a file into records, `protobuf.py` knows the wire format, `messages.py` what event files hold,
`columns.py` reads many scalars at once; `importing.py` and `exporting.py` are the way in and the way out.
"""
